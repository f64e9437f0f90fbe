"""Carrying calls to the server and back: once for ordinary code, once for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

import httpx

from . import _http
from ._calls import Call, T
from .errors import ConnectionFailed, Problem

# The server says every 15 s that an event stream is still there.
_LINES_READ_TIMEOUT_S: Final = 45.0


class Transport:
    """Connections to one server, for ordinary code."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        headers = {"user-agent": _http.USER_AGENT, **headers}
        self._lines_timeout = httpx.Timeout(timeout, read=_LINES_READ_TIMEOUT_S)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def send(self, call: Call[T], retries: int) -> T:
        """Send a call until it is answered, refused, or has failed once more than `retries`."""
        retry = _http.Retry(retries)
        while True:
            try:
                return self._attempt(call)
            except (ConnectionFailed, Problem) as error:
                pause = retry.pause(call, error)
                if pause is None:
                    raise
            time.sleep(pause)

    def lines(self, call: Call[Any]) -> Iterator[str]:
        """Read an answer that has no end, line by line."""
        try:
            with self._http.stream(call.method, call.path, timeout=self._lines_timeout) as response:
                if not response.is_success:
                    response.read()
                    _http.answer_of(call, response)
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise _http.connection_failed(call, error) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _attempt(self, call: Call[T]) -> T:
        try:
            response = self._http.request(**_http.request_of(call))
        except httpx.TransportError as error:
            raise _http.connection_failed(call, error) from error
        return _http.answer_of(call, response)


class AsyncTransport:
    """Connections to one server, for asyncio."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        headers = {"user-agent": _http.USER_AGENT, **headers}
        self._lines_timeout = httpx.Timeout(timeout, read=_LINES_READ_TIMEOUT_S)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout)

    async def send(self, call: Call[T], retries: int) -> T:
        """Send a call until it is answered, refused, or has failed once more than `retries`."""
        retry = _http.Retry(retries)
        while True:
            try:
                return await self._attempt(call)
            except (ConnectionFailed, Problem) as error:
                pause = retry.pause(call, error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def lines(self, call: Call[Any]) -> AsyncIterator[str]:
        """Read an answer that has no end, line by line."""
        try:
            async with self._http.stream(call.method, call.path, timeout=self._lines_timeout) as response:
                if not response.is_success:
                    await response.aread()
                    _http.answer_of(call, response)
                async for line in response.aiter_lines():
                    yield line
        except httpx.TransportError as error:
            raise _http.connection_failed(call, error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _attempt(self, call: Call[T]) -> T:
        try:
            response = await self._http.request(**_http.request_of(call))
        except httpx.TransportError as error:
            raise _http.connection_failed(call, error) from error
        return _http.answer_of(call, response)
