"""A session's WebSocket: samples and commands in, events and media out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, NoReturn
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from . import _calls, _http, _json
from .errors import ConnectionFailed, Problem, problem
from .media import MediaUnit, read_unit
from .models import Event

Media = Literal["all", "video", "audio", "none"]
"""Which media to receive; with `none` one does not count as watching."""

_ANSWERS: Final = frozenset({"done", "utterance_queued", "problem"})
# The server drops frames for whoever reads slowly; a longer queue here would only hide it.
_QUEUED_MESSAGES: Final = 64


@dataclass(frozen=True)
class Answer:
    """What became of a command or of samples that were sent on this connection."""

    type: str
    """`done`, `utterance_queued` or `problem`."""
    command: str | None = None
    id: str | None = None
    utterance_id: str | None = None
    generation: int | None = None
    """For `interrupt`: no frame of an older generation follows."""
    position_ms: int | None = None
    duration_ms: int | None = None
    """For `gesture`: how long it takes, without the time that it is held for."""
    holds: bool | None = None
    """For `gesture`: whether it holds its pose."""
    problem: Problem | None = None
    """What HTTP would have answered."""


Message = Event | Answer | MediaUnit
"""What a stream gives."""


class _NotOpened(InvalidHandshake):
    """What was answered instead of opening the stream.

    `websockets` follows redirects where it says `InvalidStatus`, and would take the secret to wherever they lead.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(f"HTTP status {response.status_code}")
        self.response = response


class _AsyncConnection(AsyncConnection):
    async def handshake(self, *arguments: Any, **named: Any) -> None:
        try:
            await super().handshake(*arguments, **named)
        except InvalidStatus as error:
            raise _NotOpened(error.response) from error


class _Connection(ClientConnection):
    def handshake(self, *arguments: Any, **named: Any) -> None:
        try:
            super().handshake(*arguments, **named)
        except InvalidStatus as error:
            raise _NotOpened(error.response) from error


class AsyncSessionStream:
    """A session's WebSocket for asyncio: `async with client.stream(...) as stream`, then `async for message in stream`.

    It ends when the session has ended; leaving it does not end the session.
    """

    def __init__(self, url: str, secret: str, session_id: str, query: Mapping[str, Any]) -> None:
        self._arguments = _arguments(url, secret, session_id, query)
        self._socket: AsyncConnection | None = None

    async def __aenter__(self) -> AsyncSessionStream:
        try:
            self._socket = await connect_async(**self._arguments, create_connection=_AsyncConnection)
        except (InvalidHandshake, OSError, TimeoutError) as error:
            _refused(error)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            try:
                message = _read(await self._open().recv())
            except ConnectionClosed as error:
                _closed(error)
                return
            if message is not None:
                yield message

    async def begin_audio(self, rate: int | None = None, channels: int | None = None) -> None:
        """Begin a new utterance; its samples may have another format than the connection was opened with."""
        await self._send(_command("audio_begin", rate=rate, channels=channels))

    async def send_audio(self, samples: bytes) -> None:
        """Send 16-bit little-endian samples, cut anywhere, up to 1 MiB at once."""
        await self._send(samples)

    async def end_audio(self, id: str | None = None) -> None:
        """Say that the utterance is complete."""
        await self._send(_command("audio_end", id=id))

    async def interrupt(self, id: str | None = None) -> None:
        """Stop what is being said, and forget what waits."""
        await self._send(_command("interrupt", id=id))

    async def gesture(self, name: str, id: str | None = None) -> None:
        """Play a gesture of the avatar."""
        await self._send(_command("gesture", gesture=name, id=id))

    async def pause(self, id: str | None = None) -> None:
        """Pause the session."""
        await self._send(_command("pause", id=id))

    async def resume(self, id: str | None = None) -> None:
        """Take back a pause."""
        await self._send(_command("resume", id=id))

    async def stop(self, id: str | None = None) -> None:
        """End the session."""
        await self._send(_command("stop", id=id))

    async def close(self) -> None:
        """Leave; the session goes on."""
        if self._socket:
            await self._socket.close()

    def _open(self) -> AsyncConnection:
        if self._socket is None:
            raise RuntimeError("a stream is opened by `async with`")
        return self._socket

    async def _send(self, message: str | bytes) -> None:
        try:
            await self._open().send(message)
        except ConnectionClosed as error:
            raise ConnectionFailed(f"the stream is closed: {error}") from error


class SessionStream:
    """A session's WebSocket for ordinary code: `with client.stream(...) as stream`, then `for message in stream`.

    It ends when the session has ended; leaving it does not end the session. One thread may send while another reads.
    """

    def __init__(self, url: str, secret: str, session_id: str, query: Mapping[str, Any]) -> None:
        self._arguments = _arguments(url, secret, session_id, query)
        self._socket: Connection | None = None

    def __enter__(self) -> SessionStream:
        try:
            self._socket = connect(**self._arguments, create_connection=_Connection).__enter__()
        except (InvalidHandshake, OSError, TimeoutError) as error:
            _refused(error)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        while True:
            try:
                message = _read(self._open().recv())
            except ConnectionClosed as error:
                _closed(error)
                return
            if message is not None:
                yield message

    def begin_audio(self, rate: int | None = None, channels: int | None = None) -> None:
        """Begin a new utterance; its samples may have another format than the connection was opened with."""
        self._send(_command("audio_begin", rate=rate, channels=channels))

    def send_audio(self, samples: bytes) -> None:
        """Send 16-bit little-endian samples, cut anywhere, up to 1 MiB at once."""
        self._send(samples)

    def end_audio(self, id: str | None = None) -> None:
        """Say that the utterance is complete."""
        self._send(_command("audio_end", id=id))

    def interrupt(self, id: str | None = None) -> None:
        """Stop what is being said, and forget what waits."""
        self._send(_command("interrupt", id=id))

    def gesture(self, name: str, id: str | None = None) -> None:
        """Play a gesture of the avatar."""
        self._send(_command("gesture", gesture=name, id=id))

    def pause(self, id: str | None = None) -> None:
        """Pause the session."""
        self._send(_command("pause", id=id))

    def resume(self, id: str | None = None) -> None:
        """Take back a pause."""
        self._send(_command("resume", id=id))

    def stop(self, id: str | None = None) -> None:
        """End the session."""
        self._send(_command("stop", id=id))

    def close(self) -> None:
        """Leave; the session goes on."""
        if self._socket:
            self._socket.close()

    def _open(self) -> Connection:
        if self._socket is None:
            raise RuntimeError("a stream is opened by `with`")
        return self._socket

    def _send(self, message: str | bytes) -> None:
        try:
            self._open().send(message)
        except ConnectionClosed as error:
            raise ConnectionFailed(f"the stream is closed: {error}") from error


def _arguments(url: str, secret: str, session_id: str, query: Mapping[str, Any]) -> dict[str, Any]:
    # http becomes ws, and https becomes wss.
    place = "ws" + url.removeprefix("http") + _calls.session_path(session_id, "stream")
    words = {key: str(value).lower() for key, value in query.items()}
    return {
        "uri": f"{place}?{urlencode(words)}",
        "additional_headers": {"api-secret": secret},
        "user_agent_header": _http.USER_AGENT,
        # H.264 and Opus do not get smaller.
        "compression": None,
        "max_size": None,
        "max_queue": _QUEUED_MESSAGES,
    }


def _command(name: str, **members: str | int | None) -> str:
    return json.dumps({"type": name, **{key: value for key, value in members.items() if value is not None}})


def _read(message: str | bytes) -> Message | None:
    if isinstance(message, bytes):
        return read_unit(message)
    told = _json.parse(message)
    if not isinstance(told, dict) or told.get("type") not in _ANSWERS:
        return _json.read(Event, told)
    refusal = told.get("problem")
    return Answer(
        type=told["type"],
        command=told.get("command"),
        id=told.get("id"),
        utterance_id=told.get("utterance_id"),
        generation=told.get("generation"),
        position_ms=told.get("position_ms"),
        duration_ms=told.get("duration_ms"),
        holds=told.get("holds"),
        problem=problem(int(refusal.get("status", 400)), refusal) if isinstance(refusal, dict) else None,
    )


def _closed(error: ConnectionClosed) -> None:
    # 1000: the session is over, or we left. Anything else took away what would have come.
    if error.rcvd is None or error.rcvd.code != 1000:
        raise ConnectionFailed(f"the stream broke off: {error}") from error


def _refused(error: Exception) -> NoReturn:
    if isinstance(error, _NotOpened):
        response = error.response
        raise _http.refusal_of(
            response.status_code, bytes(response.body or b""), response.headers.get("retry-after")
        ) from None
    raise ConnectionFailed(f"the stream could not be opened: {error}") from error
