"""What an engine does, step by step, without doing it: each step is handed out, and its outcome comes back.

So everything that matters is written once, and `engine` and `async_engine` only carry steps out.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from .._calls import Call
from ..errors import ConnectionFailed, FootlightError, Problem, TooMany, Unauthorized, UnexpectedAnswer
from ..models import Session, Token
from .clock import MeteredClock, Report, Taken
from .exchange import Heartbeat, begin, heartbeat, runtime_token, surface_of
from .record import RecordHead, UsageRecord

log = logging.getLogger("footlight")

T = TypeVar("T")

UNMETERED: Final = "FOOTLIGHT_UNMETERED"

TIMEOUT_S: Final = 10.0
"""How long an answer may take at most."""

# Tries again at the start; what an engine says later is repeated for as long as it takes.
_START_RETRIES: Final = 3
# A session that was closed, or has gone to another engine, takes no report any more.
_SETTLED_CODES: Final = frozenset({"session_ended", "fenced"})


@dataclass(frozen=True)
class Carry:
    """A step: send this call and bring its answer, or throw what went wrong."""

    call: Call[Any]
    retries: int = 0


@dataclass(frozen=True)
class Sync:
    """A step: wait until what was noted would survive the machine."""

    record: UsageRecord


Steps = Generator[Carry | Sync, Any, T]


@dataclass(frozen=True)
class FormerSession:
    """A session that an engine before this one did not end: it was killed, or could not reach the server."""

    session_id: str
    units: int
    """What its record says was used: frames, or milliseconds of connected time."""
    outcome: str
    """`settled`; or `kept`, to be reported at the next start; or the code under which the server refused it."""
    credits_used: Decimal | None = None
    late: bool = False
    """Whether the server had ended it by itself before."""


def is_unmetered() -> bool:
    """Whether the environment says that nothing is to be metered."""
    return os.environ.get(UNMETERED) in ("1", "true")


def warn_unmetered() -> None:
    """Say loudly that nothing is metered."""
    log.warning("%s is set: NOTHING IS METERED, no request is made. This is for development only.", UNMETERED)


class Meter:
    """One session of an engine: its clock, its record on disk, its token."""

    def __init__(self, url: str, api_secret: str, order: Mapping[str, Any], state_dir: Path) -> None:
        self._url = url
        self._secret = api_secret
        self._order = order
        self._surface = surface_of(str(order["product"]))
        self._state_dir = state_dir
        self._token: Token | None = None
        self._record: UsageRecord | None = None
        self._clock: MeteredClock | None = None
        self._session: Session | None = None
        self.former: tuple[FormerSession, ...] = ()
        self.credits_used = Decimal(0)

    @property
    def clock(self) -> MeteredClock:
        """What decides."""
        if self._clock is None:
            raise RuntimeError("the engine was not started")
        return self._clock

    @property
    def session(self) -> Session:
        """The session as it began."""
        if self._session is None:
            raise RuntimeError("the engine was not started")
        return self._session

    @property
    def pause_reasons(self) -> tuple[str, ...]:
        """Why nothing may be made at the moment."""
        return self.clock.pause_reasons(now())

    def start(self) -> Steps[None]:
        """Prove the secret, report what former engines left, and begin a session."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        token = yield from self._exchange(self._surface)
        yield from self._settle_former()
        begun = yield from _carry(begin(token, self._order), _START_RETRIES)
        head = RecordHead(self._url, begun.session.id, self._surface, begun.terms.epoch)
        self._record = UsageRecord.create(self._state_dir, head)
        self._session, self._token = begun.session, begun.token
        self._clock = MeteredClock(begun.terms, now(), random.random())

    def take(self) -> Taken:
        """Count one frame, if it may be made."""
        taken = self.clock.take(now())
        self._note()
        return taken

    def is_open(self) -> bool:
        """Say that there is something to be made, and hear whether it may."""
        self.clock.want(now())
        return self.clock.has_room(now())

    def pause(self) -> float:
        """How long nothing has to be reported, in seconds."""
        at = now()
        return max(0.0, self.clock.wake_at(at) - at)

    def report(self) -> Steps[None]:
        """Send the report that is due, if one is, and take its answer."""
        clock, reasons = self.clock, self.pause_reasons
        report = clock.poll(now())
        yield from self._keep(is_durable=report is not None)
        if report:
            yield from self._send(report)
            yield from self._keep(is_durable=False)
        if self.pause_reasons != reasons:
            log.info("session %s: %s", self.session.id, " and ".join(self.pause_reasons) or "goes on")
        if clock.is_closed:
            self._close_record(settled=True)

    def end(self) -> None:
        """Count nothing any more. What is used is reported by `report`."""
        self.clock.end(now())

    def abandon(self) -> None:
        """Leave what could not be reported to the next start."""
        if self._record:
            log.warning("session %s is not settled; the next start in %s does it", self.session.id, self._state_dir)
            self._close_record(settled=False)

    def _send(self, report: Report) -> Steps[None]:
        clock = self.clock
        try:
            answer = yield from self._ask(report)
        except Problem as error:
            self._refused(report, error)
        except (ConnectionFailed, UnexpectedAnswer) as error:
            log.debug("report %d had no answer: %s", report.number, error)
            clock.unanswered(now(), report.number, random.random())
        else:
            self._token = answer.token or self._token
            self.credits_used = answer.credits_used
            clock.answered(now(), report.number, answer.for_clock())

    def _ask(self, report: Report) -> Steps[Heartbeat]:
        try:
            if self._token:
                return (yield from self._attempt(self._token, report))
        except Unauthorized:
            # Tokens last minutes, and an outage may last longer. The secret says whether this is more than that.
            self._token = None
        self._token = yield from self._exchange(self._surface, self.session.id, 0)
        return (yield from self._attempt(self._token, report))

    def _attempt(self, token: Token, report: Report) -> Steps[Heartbeat]:
        return (yield from _carry(heartbeat(token, self.session.id, report), 0))

    def _refused(self, report: Report, error: Problem) -> None:
        clock = self.clock
        # What has no code of the server's was answered by something between us and it.
        is_passing = error.status >= 500 or error.code == "unknown" or isinstance(error, TooMany)
        if is_passing:
            asked = min(error.retry_after or 0.0, clock.terms.retry_last_s)
            clock.unanswered(now(), report.number, random.random(), at_least=asked)
        elif isinstance(error, Unauthorized):
            clock.barred(now(), report.number, "key_revoked")
        elif error.status in (402, 403):
            clock.barred(now(), report.number, error.code)
        else:
            log.warning("session %s is over: %s", self.session.id, error)
            clock.denied(report.number, error.code)
            self._close_record(settled=error.code in _SETTLED_CODES)

    def _settle_former(self) -> Steps[None]:
        for record in UsageRecord.abandoned(self._state_dir):
            if record.head.url == self._url:
                former = yield from self._report_former(record)
                self.former += (former,)
                is_done = former.outcome == "settled" or former.outcome in _SETTLED_CODES
                log.warning("session %s had no end: %d units, %s", former.session_id, former.units, former.outcome)
            else:
                is_done = False
            if is_done or record.is_forgotten():
                record.remove()
            else:
                record.close()

    def _report_former(self, record: UsageRecord) -> Steps[FormerSession]:
        head, units = record.head, record.units
        try:
            token = yield from self._exchange(head.surface, head.session_id)
            try:
                answer = yield from self._report_last(record, token, record.number + 1)
            except Problem as error:
                last = error.body.get("last")
                if error.code != "stale_request" or not isinstance(last, int):
                    raise
                # More was reported than could be noted.
                answer = yield from self._report_last(record, token, last + 1)
        except Problem as error:
            is_passing = error.status >= 500 or error.code == "unknown" or isinstance(error, (TooMany, Unauthorized))
            return FormerSession(head.session_id, units, "kept" if is_passing else error.code)
        except FootlightError:
            return FormerSession(head.session_id, units, "kept")
        return FormerSession(head.session_id, units, "settled", answer.credits_used, answer.late)

    def _report_last(self, record: UsageRecord, token: Token, number: int) -> Steps[Heartbeat]:
        head = record.head
        record.renumber(number)
        yield Sync(record)
        report = Report(head.epoch, number, record.units, "release", end=True)
        return (yield from _carry(heartbeat(token, head.session_id, report), _START_RETRIES))

    def _exchange(self, surface: str, session_id: str | None = None, retries: int = _START_RETRIES) -> Steps[Token]:
        return (yield from _carry(runtime_token(self._secret, surface, session_id), retries))

    def _keep(self, *, is_durable: bool) -> Steps[None]:
        # What cannot be noted is reported all the same: it would only be lost if the engine were killed just now.
        try:
            self._note()
            if is_durable and self._record:
                yield Sync(self._record)
        except OSError:
            log.exception("session %s: usage cannot be noted on disk", self.session.id)

    def _note(self) -> None:
        if self._record:
            self._record.write(self.clock.number, self.clock.used)

    def _close_record(self, *, settled: bool) -> None:
        record, self._record = self._record, None
        if record:
            if settled:
                record.remove()
            else:
                record.close()


def _carry(call: Call[T], retries: int) -> Steps[T]:
    return cast(T, (yield Carry(call, retries)))


def now() -> float:
    """A clock that only goes forward."""
    return time.monotonic()
