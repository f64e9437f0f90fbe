"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Literal

from . import _calls, _http
from ._calls import Audio, Call, Page, T
from ._sse import EventParser
from ._transport import AsyncTransport
from .models import (
    Avatar,
    CreditSummary,
    Event,
    GestureBegun,
    Interrupted,
    JournalEntry,
    Me,
    Pricing,
    Session,
    Speech,
    Token,
    Usage,
)
from .stream import AsyncSessionStream, Media


class AsyncClient:
    """An account's access to Footlight: as `Client`, with `async` and `await`."""

    def __init__(
        self,
        url: str | None = None,
        api_secret: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
    ) -> None:
        self._url = _http.url_of(url)
        self._secret = _http.secret_of(api_secret)
        self._retries = retries
        self._transport = AsyncTransport(self._url, {"api-secret": self._secret}, timeout)

    async def create_session(
        self,
        *,
        avatar: str | None = None,
        product: str | None = None,
        fps: int | None = None,
        width: int | None = None,
        height: int | None = None,
        background: str | None = None,
        when_unwatched: Literal["wait", "continue"] | None = None,
        idle_timeout_s: int | None = None,
        max_duration_s: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Create a session. What is left out has the server's default."""
        order = {
            "avatar": avatar,
            "product": product,
            "fps": fps,
            "width": width,
            "height": height,
            "background": background,
            "when_unwatched": when_unwatched,
            "idle_timeout_s": idle_timeout_s,
            "max_duration_s": max_duration_s,
            "metadata": metadata,
        }
        return await self._call(_calls.create_session(order, idempotency_key))

    async def get_session(self, session_id: str) -> Session:
        """Read a session: its state, and what it has cost so far."""
        return await self._call(_calls.get_session(session_id))

    def list_sessions(self, *, state: str | None = None, page_size: int | None = None) -> AsyncIterator[Session]:
        """List the account's sessions; further pages are asked for as you come to them."""
        return self._pages(lambda cursor: _calls.list_sessions(state, page_size, cursor))

    async def stop_session(self, session_id: str) -> Session:
        """End a session, and read what it cost."""
        return await self._call(_calls.stop_session(session_id))

    async def pause_session(self, session_id: str) -> Session:
        """Pause a session: a still picture, free of charge."""
        return await self._call(_calls.pause_session(session_id))

    async def resume_session(self, session_id: str) -> Session:
        """Take back a pause."""
        return await self._call(_calls.resume_session(session_id))

    async def interrupt(self, session_id: str) -> Interrupted:
        """Stop what is being said, and forget what waits."""
        return await self._call(_calls.interrupt(session_id))

    async def gesture(self, session_id: str, name: str) -> GestureBegun:
        """Play a gesture of the session's avatar, over rest or over speech, free of charge."""
        return await self._call(_calls.gesture(session_id, name))

    async def speak(
        self,
        session_id: str,
        audio: Audio,
        *,
        mode: Literal["append", "replace"] = "append",
        content_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> Speech:
        """Say an audio file: WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus, as bytes, as a path or as an open file.

        Raw samples (16-bit little-endian) need a `content_type` such as `audio/pcm;rate=16000;channels=1`.
        """
        return await self._call(_calls.speak(session_id, audio, mode, content_type, idempotency_key))

    async def events(self, session_id: str) -> AsyncIterator[Event]:
        """Follow a session's events until it has ended; the first one tells the present state.

        A connection that breaks is a `ConnectionFailed`: read the events anew, and the first tells the state again.
        """
        call = Call("GET", _calls.session_path(session_id, "events"), lambda _: None)
        parser = EventParser()
        async for line in self._transport.lines(call):
            if event := parser.line(line):
                yield event

    def stream(
        self,
        session_id: str,
        *,
        media: Media = "all",
        events: bool = True,
        recording: bool = False,
        rate: int = 16_000,
        channels: int = 1,
    ) -> AsyncSessionStream:
        """Open a session's WebSocket: samples and commands in, events and media out."""
        query = {"media": media, "events": events, "recording": recording, "rate": rate, "channels": channels}
        return AsyncSessionStream(self._url, self._secret, session_id, query)

    async def client_token(self, session_id: str, *, origin: str | None = None) -> Token:
        """Make a token with which a browser follows one session, from pages of one origin if you name it."""
        return await self._call(_calls.client_token(session_id, origin))

    async def credits(self) -> CreditSummary:
        """Read the balance."""
        return await self._call(_calls.credit_summary())

    def usage(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        session: str | None = None,
        product: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Usage]:
        """List what each session used in each clock hour, and what it cost."""
        return self._pages(lambda cursor: _calls.usage(since, until, session, product, page_size, cursor))

    def journal(self, *, page_size: int | None = None) -> AsyncIterator[JournalEntry]:
        """List every entry that changed the account, in order."""
        return self._pages(lambda cursor: _calls.journal(page_size, cursor))

    def avatars(self, *, page_size: int | None = None) -> AsyncIterator[Avatar]:
        """List the avatars that sessions may ask for."""
        return self._pages(lambda cursor: _calls.avatars(page_size, cursor))

    async def pricing(self) -> Pricing:
        """Read the price list."""
        return await self._call(_calls.pricing())

    async def me(self) -> Me:
        """Read the account behind the secret."""
        return await self._call(_calls.me())

    async def close(self) -> None:
        """Close the connections. Sessions go on."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def _pages(self, page_at: Callable[[str | None], Call[Page[T]]]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self._call(page_at(cursor))
            for entry in page.entries:
                yield entry
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _call(self, call: Call[T]) -> T:
        return await self._transport.send(call, self._retries)
