"""The meter of an engine in ordinary code. A thread of its own reports."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from .._transport import Transport
from ..errors import FootlightError
from .clock import Taken
from .meter import TIMEOUT_S, Carry, Meter, Steps, T, now
from .view import LOOK_AGAIN_S, NOTE_EVERY_S, EngineView


class MeteredEngine(EngineView):
    """Meters an engine that makes frames on your own machine.

    ::

        with MeteredEngine(product="essence_self_hosted", fps=25, state_dir="state") as engine:
            for frame in frames:
                while not engine.take():
                    print("paused:", engine.pause_reasons)
                    if not engine.wait():
                        raise SystemExit(engine.end_reason)
                show(frame)

    Credits are held before a frame is made, and a frame is counted, on disk too, immediately before `take` says yes. A
    server that cannot be reached is waited for in the background: frames go on for the grace that it gave. What an
    engine could not report when it was killed, the next start in the same `state_dir` reports first (`former`).

    `url` and `api_secret` may also come from the environment: `FOOTLIGHT_URL` and `FOOTLIGHT_API_SECRET`. With
    `FOOTLIGHT_UNMETERED=1` everything is allowed and nothing is sent, for development.
    """

    def start(self) -> None:
        """Begin the session. An API secret that is not valid is `Unauthorized` here, at once."""
        self._changed = threading.Condition()
        self._is_left = False
        self._reporter = threading.Thread(target=self._run, name="footlight-meter", daemon=True)
        if self._meter:
            self._transport = Transport(self._url, {}, TIMEOUT_S)
            try:
                self._carry(self._meter.start())
            except BaseException:
                self._transport.close()
                raise
            self._reporter.start()

    def take(self) -> bool:
        """Count one frame. True: make it. False: not now (`pause_reasons`) or never again (`end_reason`).

        Waits for a slice that was asked for, and for nothing else. With products that pay for connected time it says
        whether time may go on.
        """
        if self._meter is None:
            self._unmetered_units += 1
            return True
        with self._changed:
            while (taken := self._meter.take()) is Taken.WAIT:
                self._wait(LOOK_AGAIN_S)
            if self._meter.pause() == 0.0:
                self._changed.notify_all()
            return taken is Taken.YES

    def wait(self, timeout: float | None = None) -> bool:
        """Wait while paused. True: `take` has something to give. False: the session is over, or the time is."""
        if self._meter is None:
            return True
        deadline = None if timeout is None else now() + timeout
        with self._changed:
            while not self._meter.is_open():
                if self._meter.clock.is_over or (deadline is not None and now() >= deadline):
                    return False
                self._wait(LOOK_AGAIN_S)
            return True

    def close(self) -> None:
        """End the session and settle it. What cannot be reported in time is reported by the next start."""
        if self._meter is None or not self._reporter.is_alive():
            return
        with self._changed:
            self._meter.end()
            self._changed.notify_all()
        self._reporter.join(self._close_timeout)
        with self._changed:
            self._is_left = True
            self._changed.notify_all()
        self._reporter.join(TIMEOUT_S)

    def __enter__(self) -> MeteredEngine:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _wait(self, at_most: float) -> None:
        if not self._reporter.is_alive():
            raise RuntimeError("the engine is not running")
        self._changed.notify_all()
        self._changed.wait(at_most)

    def _run(self) -> None:
        if meter := self._meter:
            try:
                self._report(meter)
            finally:
                with self._changed:
                    meter.abandon()
                self._transport.close()

    def _report(self, meter: Meter) -> None:
        while not meter.clock.is_closed and not self._is_left:
            self._carry(meter.report())
            with self._changed:
                self._changed.notify_all()
                pause = meter.pause()
                if pause > 0.0 and not meter.clock.is_closed and not self._is_left:
                    self._changed.wait(min(pause, NOTE_EVERY_S) if meter.clock.terms.connected else pause)

    def _carry(self, steps: Steps[T]) -> T:
        """Carry out steps. What they decide, they decide under the lock; what takes time is done without it."""
        outcome: Any = None
        failure: FootlightError | OSError | None = None
        while True:
            try:
                with self._changed:
                    step = steps.throw(failure) if failure else steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome, failure = None, None
            try:
                if isinstance(step, Carry):
                    outcome = self._transport.send(step.call, step.retries)
                else:
                    step.record.sync()
            except (FootlightError, OSError) as error:
                failure = error
