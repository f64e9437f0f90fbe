"""The client for ordinary code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Literal

from . import _calls, _http
from ._calls import Audio, Call, Page, T
from ._sse import EventParser
from ._transport import Transport
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
from .stream import Media, SessionStream


class Client:
    """An account's access to Footlight.

    `url` and `api_secret` may also come from the environment: `FOOTLIGHT_URL` and `FOOTLIGHT_API_SECRET`. A call that
    failed on the way, or met a store that was away, is tried again up to `retries` times; calls that create or spend
    carry an idempotency key, so that they are done once however often they are sent. Several threads may share one.
    """

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
        self._transport = Transport(self._url, {"api-secret": self._secret}, timeout)

    def create_session(
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
        return self._call(_calls.create_session(order, idempotency_key))

    def get_session(self, session_id: str) -> Session:
        """Read a session: its state, and what it has cost so far."""
        return self._call(_calls.get_session(session_id))

    def list_sessions(self, *, state: str | None = None, page_size: int | None = None) -> Iterator[Session]:
        """List the account's sessions; further pages are asked for as you come to them."""
        return self._pages(lambda cursor: _calls.list_sessions(state, page_size, cursor))

    def stop_session(self, session_id: str) -> Session:
        """End a session, and read what it cost."""
        return self._call(_calls.stop_session(session_id))

    def pause_session(self, session_id: str) -> Session:
        """Pause a session: a still picture, free of charge."""
        return self._call(_calls.pause_session(session_id))

    def resume_session(self, session_id: str) -> Session:
        """Take back a pause."""
        return self._call(_calls.resume_session(session_id))

    def interrupt(self, session_id: str) -> Interrupted:
        """Stop what is being said, and forget what waits."""
        return self._call(_calls.interrupt(session_id))

    def gesture(self, session_id: str, name: str) -> GestureBegun:
        """Play a gesture of the session's avatar, over rest or over speech, free of charge."""
        return self._call(_calls.gesture(session_id, name))

    def speak(
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
        return self._call(_calls.speak(session_id, audio, mode, content_type, idempotency_key))

    def events(self, session_id: str) -> Iterator[Event]:
        """Follow a session's events until it has ended; the first one tells the present state.

        A connection that breaks is a `ConnectionFailed`: read the events anew, and the first tells the state again.
        """
        call = Call("GET", _calls.session_path(session_id, "events"), lambda _: None)
        parser = EventParser()
        for line in self._transport.lines(call):
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
    ) -> SessionStream:
        """Open a session's WebSocket: samples and commands in, events and media out."""
        query = {"media": media, "events": events, "recording": recording, "rate": rate, "channels": channels}
        return SessionStream(self._url, self._secret, session_id, query)

    def client_token(self, session_id: str, *, origin: str | None = None) -> Token:
        """Make a token with which a browser follows one session, from pages of one origin if you name it."""
        return self._call(_calls.client_token(session_id, origin))

    def credits(self) -> CreditSummary:
        """Read the balance."""
        return self._call(_calls.credit_summary())

    def usage(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        session: str | None = None,
        product: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Usage]:
        """List what each session used in each clock hour, and what it cost."""
        return self._pages(lambda cursor: _calls.usage(since, until, session, product, page_size, cursor))

    def journal(self, *, page_size: int | None = None) -> Iterator[JournalEntry]:
        """List every entry that changed the account, in order."""
        return self._pages(lambda cursor: _calls.journal(page_size, cursor))

    def avatars(self, *, page_size: int | None = None) -> Iterator[Avatar]:
        """List the avatars that sessions may ask for."""
        return self._pages(lambda cursor: _calls.avatars(page_size, cursor))

    def pricing(self) -> Pricing:
        """Read the price list."""
        return self._call(_calls.pricing())

    def me(self) -> Me:
        """Read the account behind the secret."""
        return self._call(_calls.me())

    def close(self) -> None:
        """Close the connections. Sessions go on."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _pages(self, page_at: Callable[[str | None], Call[Page[T]]]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._call(page_at(cursor))
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def _call(self, call: Call[T]) -> T:
        return self._transport.send(call, self._retries)
