"""The meter of an engine in asyncio. A task of its own reports."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any

from .._transport import AsyncTransport
from ..errors import FootlightError
from .clock import Taken
from .meter import TIMEOUT_S, Carry, Meter, Steps, T, now
from .view import LOOK_AGAIN_S, NOTE_EVERY_S, EngineView


class AsyncMeteredEngine(EngineView):
    """Meters an engine that makes frames on your own machine: as `MeteredEngine`, with `async` and `await`."""

    async def start(self) -> None:
        """Begin the session. An API secret that is not valid is `Unauthorized` here, at once."""
        self._due = asyncio.Event()
        self._reported = asyncio.Event()
        self._is_left = False
        self._reporter: asyncio.Task[None] | None = None
        if self._meter:
            self._transport = AsyncTransport(self._url, {}, TIMEOUT_S)
            try:
                await self._carry(self._meter.start())
            except BaseException:
                await self._transport.close()
                raise
            self._reporter = asyncio.create_task(self._run(self._meter), name="footlight-meter")

    async def take(self) -> bool:
        """Count one frame. True: make it. False: not now (`pause_reasons`) or never again (`end_reason`).

        Waits for a slice that was asked for, and for nothing else. With products that pay for connected time it says
        whether time may go on.
        """
        if self._meter is None:
            self._unmetered_units += 1
            return True
        while (taken := self._meter.take()) is Taken.WAIT:
            await self._look_again()
        if self._meter.pause() == 0.0:
            self._due.set()
        return taken is Taken.YES

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait while paused. True: `take` has something to give. False: the session is over, or the time is."""
        if self._meter is None:
            return True
        deadline = None if timeout is None else now() + timeout
        while not self._meter.is_open():
            if self._meter.clock.is_over or (deadline is not None and now() >= deadline):
                return False
            await self._look_again()
        return True

    async def close(self) -> None:
        """End the session and settle it. What cannot be reported in time is reported by the next start."""
        if self._meter is None or self._reporter is None or self._reporter.done():
            return
        self._meter.end()
        self._due.set()
        await asyncio.wait([self._reporter], timeout=self._close_timeout)
        self._is_left = True
        self._due.set()
        await asyncio.wait([self._reporter], timeout=TIMEOUT_S)

    async def __aenter__(self) -> AsyncMeteredEngine:
        await self.start()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def _look_again(self) -> None:
        if self._reporter is None or self._reporter.done():
            raise RuntimeError("the engine is not running")
        self._due.set()
        await _wait_for(self._reported, LOOK_AGAIN_S)

    async def _run(self, meter: Meter) -> None:
        try:
            while not meter.clock.is_closed and not self._is_left:
                self._due.clear()
                await self._carry(meter.report())
                pause = meter.pause()
                reported, self._reported = self._reported, asyncio.Event()
                reported.set()
                if pause > 0.0 and not meter.clock.is_closed:
                    await _wait_for(self._due, min(pause, NOTE_EVERY_S) if meter.clock.terms.connected else pause)
        finally:
            meter.abandon()
            await self._transport.close()

    async def _carry(self, steps: Steps[T]) -> T:
        outcome: Any = None
        failure: FootlightError | OSError | None = None
        while True:
            try:
                step = steps.throw(failure) if failure else steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome, failure = None, None
            try:
                if isinstance(step, Carry):
                    outcome = await self._transport.send(step.call, step.retries)
                else:
                    await asyncio.to_thread(step.record.sync)
            except (FootlightError, OSError) as error:
                failure = error


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
