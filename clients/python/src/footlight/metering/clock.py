"""What an engine may do, and when it reports: decided here, without a clock, a disk or a network.

Time is an argument, in seconds of any clock that only goes forward. Units are cumulative for the session's whole life:
active frames, or milliseconds for products that pay for connected time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal

Ask = Literal["slice", "keep", "release"]

ASK_AFTER: Final = 0.75
"""The part of a slice after which the next one is asked for at the latest: speech never waits at the boundary."""

STORE_UNREACHABLE: Final = "store_unreachable"
CREDITS_EXHAUSTED: Final = "credits_exhausted"

# Reasons that leave what is held: it is paid for.
_ABOUT_CREDIT: Final = frozenset({CREDITS_EXHAUSTED, "debt", "spending_limit"})


@dataclass(frozen=True)
class Terms:
    """What the server said when the session began."""

    epoch: int
    heartbeat_s: float
    """The longest time between two reports."""
    grace_s: float
    """How long to go on without an answer, counted from the last one."""
    connected: bool = False
    """Whether the time counts, rather than frames."""

    # All other times hang on the heartbeat, so that one setting of the server scales everything. Frames and networks do
    # not scale with it: hence the lower bounds.

    @property
    def patience_s(self) -> float:
        """An answer that takes longer than this counts as none for the time being."""
        return max(0.5, self.heartbeat_s / 20)

    @property
    def retry_first_s(self) -> float:
        """The first pause after a failed attempt; each further one is twice as long."""
        return self.heartbeat_s / 120

    @property
    def retry_last_s(self) -> float:
        """The longest pause between attempts, and between questions that are refused."""
        return self.heartbeat_s / 12

    @property
    def silence_s(self) -> float:
        """How long an engine that takes nothing keeps its slice."""
        return max(1.0, self.heartbeat_s / 6)

    @property
    def silence_while_others_wait_s(self) -> float:
        """The same while other sessions of the account wait for credit."""
        return max(0.5, self.heartbeat_s / 60)


@dataclass(frozen=True)
class Report:
    """One heartbeat. The epoch and the number name it for ever: it is charged once, however often it is sent."""

    epoch: int
    number: int
    units: int
    ask: Ask
    end: bool = False


@dataclass(frozen=True)
class Verdict:
    """The server's answer to a report."""

    verdict: str
    """`granted`, `final`, `settled`, `refused` or `ended`."""
    slice_end: int
    settled_units: int
    grace_units: int = 0
    pause_reasons: tuple[str, ...] = ()
    end_reason: str | None = None
    others_wait: bool = False
    heartbeat_s: float | None = None
    retry_s: float | None = None


class Taken(Enum):
    """The answer to whoever wants to make a frame."""

    YES = auto()
    """It is counted: make it."""
    WAIT = auto()
    """A slice was asked for, and the answer is not there yet."""
    PAUSED = auto()
    """Not now; `pause_reasons` says why."""
    ENDED = auto()
    """Never again; `end_reason` says why."""


class _Stance(Enum):
    QUIET = auto()  # holds nothing and wants nothing
    WAITING = auto()  # wants a slice
    HOLDING = auto()  # has one
    ENDING = auto()  # over; the last settlement is due
    CLOSED = auto()  # over and settled, as far as it can be


@dataclass
class _Flight:
    report: Report
    first_sent: float
    sent: float
    attempts: int = 1
    failed: bool = False
    retry_at: float | None = None  # none while it is in the air


class MeteredClock:
    """Counts units against the slices of one session, and says when to report.

    There is at most one report in the air. One that failed is sent again as it was, under its own number, until it is
    answered; only the end of the session overtakes it. `jitter` is a random number from 0 to 1.
    """

    def __init__(self, terms: Terms, now: float, jitter: float) -> None:
        self.terms = terms
        self.used = 0
        """Units counted so far."""
        self.settled = 0
        """Units that the server has settled."""
        self.number = 0
        """The number of the last report."""
        self.end_reason: str | None = None
        """Why it is over; none until then."""
        self._stance = _Stance.QUIET
        self._flight: _Flight | None = None
        self._told: tuple[str, ...] = ()
        self._slice_end = 0
        self._grace_units = 0
        self._is_final = False
        self._ask_at: int | None = None
        self._ask_due = False
        self._give_back = False
        self._others_wait = False
        self._refusals = 0
        self._retry_at = now
        self._wanted_at = now
        self._counted_at = now
        self._last_good = now
        self._beat_at = now + terms.heartbeat_s * (0.5 + jitter / 2)
        self._jitter = jitter

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come of it."""
        return self._stance is _Stance.CLOSED

    @property
    def is_over(self) -> bool:
        """Whether no frame may follow."""
        return self._stance in (_Stance.ENDING, _Stance.CLOSED)

    def take(self, now: float) -> Taken:
        """Count one frame if it may be made; with connected time, count the time until now."""
        if self.is_over:
            return Taken.ENDED
        self.want(now)
        self.elapse(now)
        if self._stance is _Stance.HOLDING:
            if self.used < self._limit(now):
                self._count(0 if self.terms.connected else 1)
                return Taken.YES
            self._ask_due = True
        return Taken.PAUSED if self.pause_reasons(now) else Taken.WAIT

    def has_room(self, now: float) -> bool:
        """Whether `take` would say yes."""
        return self._stance is _Stance.HOLDING and self.used < self._limit(now)

    def want(self, now: float) -> None:
        """Say that there is something to be made, though nothing is taken now."""
        self._wanted_at = max(self._wanted_at, now)
        if self._stance is _Stance.QUIET:
            self._stance, self._ask_due, self._retry_at = _Stance.WAITING, True, now

    def elapse(self, now: float) -> None:
        """Count connected time until now."""
        if not self.terms.connected:
            return
        if self._stance is _Stance.HOLDING:
            until = min(now, self._last_good + self.terms.grace_s)
            passed_ms = max(0, int((until - self._counted_at) * 1000))
            room = max(0, self._limit(until, includes_now=True) - self.used)
            if passed_ms <= room:
                self._count(passed_ms)
                # What is left of a millisecond counts the next time; what came after the grace never does.
                self._counted_at = now if until < now else self._counted_at + passed_ms / 1000
                return
            self._count(room)
            self._ask_due = True
        self._counted_at = max(self._counted_at, now)

    def pause_reasons(self, now: float) -> tuple[str, ...]:
        """Why nothing may be made at the moment; empty if it may, or if an answer is awaited."""
        if self._told:
            return self._told
        lacks_room = self._stance in (_Stance.WAITING, _Stance.HOLDING) and not self.has_room(now)
        has_failed = self._flight is not None and self._flight.failed
        return (STORE_UNREACHABLE,) if lacks_room and has_failed else ()

    def poll(self, now: float) -> Report | None:
        """Give the report that is due. The caller sends it, and brings what became of it."""
        self.elapse(now)
        if self._flight:
            if self._flight.retry_at is None or now < self._flight.retry_at:
                return None
            self._flight.retry_at, self._flight.sent = None, now
            self._flight.attempts += 1
            return self._flight.report
        if self._stance is _Stance.CLOSED:
            return None
        if self._stance is _Stance.ENDING:
            return self._send(now, "release", end=True)
        if self._stance in (_Stance.WAITING, _Stance.HOLDING) and self._is_silent(now):
            self._stance, self._told, self._ask_due = _Stance.QUIET, (), False
            return self._send(now, "release")
        if self._give_back:
            return self._send(now, "release", asks_later=self._ask_due)
        if self._is_asking(now):
            return self._send(now, "slice")
        if now >= self._beat_at:
            return self._send(now, self._ask(now))
        return None

    def wake_at(self, now: float) -> float:
        """When `poll` should be called again, unless something else happens first."""
        if self._flight:
            return now + self.terms.heartbeat_s if self._flight.retry_at is None else self._flight.retry_at
        at = self._beat_at
        if self._stance is _Stance.ENDING or self._give_back or self._is_asking(now):
            at = now
        elif self._stance is _Stance.WAITING and self._ask_due:
            at = min(at, self._retry_at)
        if self._stance in (_Stance.WAITING, _Stance.HOLDING) and not self.terms.connected:
            at = min(at, self._wanted_at + self._silence())
        if self._stance is _Stance.HOLDING and self.terms.connected:
            mark = self._slice_end if self._ask_at is None else self._ask_at
            at = min(at, now + max(1, mark - self.used) / 1000)
        return at

    def answered(self, now: float, number: int, verdict: Verdict) -> None:
        """Take the answer to report `number`. An answer to a report that was overtaken changes nothing."""
        flight = self._flight
        if flight is None or flight.report.number != number:
            return
        self.elapse(now)
        self._flight = None
        # From before it was sent: the server may count from the moment it read it.
        self._last_good = flight.first_sent
        self.settled = verdict.settled_units
        self._slice_end, self._grace_units = verdict.slice_end, verdict.grace_units
        self._others_wait = verdict.others_wait
        if verdict.heartbeat_s is not None:
            self._beat_at = min(self._beat_at, flight.first_sent + verdict.heartbeat_s)
        if flight.report.end or self._stance is _Stance.CLOSED:
            self.end_reason = self.end_reason or verdict.end_reason or "stopped"
            self._stance = _Stance.CLOSED
        elif verdict.verdict == "ended":
            self._lose(verdict.end_reason or "ended")
            if self.used > self.settled:
                # What was made while the answer was on its way is still owed.
                self._stance = _Stance.ENDING
        elif self._stance is not _Stance.ENDING:
            self._settle(now, verdict)
            holds = verdict.slice_end > verdict.settled_units
            # It may not use what was granted, or fell silent meanwhile: back with it, at once.
            self._give_back = holds and self._stance is not _Stance.HOLDING and flight.report.ask != "release"

    def unanswered(self, now: float, number: int, jitter: float, at_least: float = 0.0) -> None:
        """Note that report `number` had no answer; it is sent again, as it was."""
        if self._flight and self._flight.report.number == number:
            doubled = self.terms.retry_first_s * 2 ** min(self._flight.attempts - 1, 16)
            pause = min(doubled, self.terms.retry_last_s) * (0.5 + jitter / 2)
            self._flight.failed = True
            self._flight.retry_at = now + max(pause, at_least)

    def barred(self, now: float, number: int, reason: str) -> None:
        """Note that the key is not valid any more: nothing may be made, and the report waits for a valid one."""
        if self._flight and self._flight.report.number == number:
            self.elapse(now)
            self._flight.failed = True
            self._flight.retry_at = now + self.terms.heartbeat_s
            if not self.is_over:
                self._wait(now, (reason,), None)

    def denied(self, number: int, reason: str) -> None:
        """Note that the server will never take report `number`: the session is over."""
        if self._flight and self._flight.report.number == number:
            self._flight = None
            self._lose(self.end_reason or reason)

    def end(self, now: float, reason: str = "stopped") -> None:
        """End it: nothing is counted any more, and the count at this moment is the last one."""
        if not self.is_over:
            self.elapse(now)
            # What is in the air may arrive before the end, or after it, where it is stale: both are harmless.
            self._flight, self._stance, self.end_reason = None, _Stance.ENDING, reason

    def _count(self, units: int) -> None:
        self.used += units
        if self._ask_at is not None and self.used >= self._ask_at:
            self._ask_at, self._ask_due = None, True

    def _limit(self, now: float, *, includes_now: bool = False) -> int:
        """Units that may be used in all."""
        deadline = self._last_good + self.terms.grace_s
        if now > deadline or (now == deadline and not includes_now):
            return self.used
        if self._is_away(now) and not self._is_final:
            return self._slice_end + self._grace_units
        return self._slice_end

    def _is_away(self, now: float) -> bool:
        """Whether the server does not answer, or takes too long."""
        flight = self._flight
        return flight is not None and (flight.failed or now >= flight.sent + self.terms.patience_s)

    def _silence(self) -> float:
        return self.terms.silence_while_others_wait_s if self._others_wait else self.terms.silence_s

    def _is_silent(self, now: float) -> bool:
        return not self.terms.connected and now >= self._wanted_at + self._silence()

    def _is_asking(self, now: float) -> bool:
        if not self._ask_due or now < self._retry_at:
            return False
        # While others wait nobody asks ahead.
        has_room = self._stance is _Stance.HOLDING and self.used < self._slice_end
        return not (self._others_wait and has_room)

    def _ask(self, now: float) -> Ask:
        if self._stance is _Stance.QUIET:
            return "release"
        is_busy = self.terms.connected or now < self._wanted_at + self.terms.silence_while_others_wait_s
        return "slice" if is_busy else "keep"

    def _send(self, now: float, ask: Ask, *, end: bool = False, asks_later: bool = False) -> Report:
        self.number += 1
        self._ask_due, self._give_back = asks_later, False
        # Engines that begin together do not report together.
        shortest = 0.5 if self.number == 1 else 0.85
        self._beat_at = now + self.terms.heartbeat_s * (shortest + (1 - shortest) * self._jitter)
        report = Report(self.terms.epoch, self.number, self.used, ask, end)
        self._flight = _Flight(report, first_sent=now, sent=now)
        return report

    def _settle(self, now: float, verdict: Verdict) -> None:
        is_grant = verdict.verdict in ("granted", "final")
        if verdict.verdict == "refused" or (is_grant and verdict.pause_reasons):
            self._refuse(now, verdict)
        elif not is_grant or self._stance is _Stance.QUIET:
            pass
        elif verdict.slice_end > self.used:
            self._open(now, is_final=verdict.verdict == "final")
        elif verdict.settled_units >= self.used:
            self._wait(now, (CREDITS_EXHAUSTED,), verdict.retry_s)
        else:
            # Grace went past it while the answer was on its way: report that, and ask again.
            self._stance, self._told, self._ask_due, self._retry_at = _Stance.HOLDING, (), True, now

    def _open(self, now: float, *, is_final: bool) -> None:
        if self._stance is not _Stance.HOLDING:
            self._counted_at = now
        self._refusals = 0
        self._stance, self._told, self._is_final, self._retry_at = _Stance.HOLDING, (), is_final, now
        # A last slice is asked about at its end only: a top-up may have come until then.
        room = self._slice_end - self.used
        self._ask_at = None if is_final else self.used + max(1, int(room * (ASK_AFTER - self._jitter / 10)))

    def _refuse(self, now: float, verdict: Verdict) -> None:
        reasons = verdict.pause_reasons or (CREDITS_EXHAUSTED,)
        keeps = self._stance is _Stance.HOLDING and verdict.slice_end > self.used
        if keeps and _ABOUT_CREDIT.issuperset(reasons):
            # Nothing more, but what it holds is paid for: it is the last slice.
            self._open(now, is_final=True)
        elif self._stance is not _Stance.QUIET:
            self._wait(now, reasons, verdict.retry_s)

    def _wait(self, now: float, reasons: tuple[str, ...], retry_s: float | None) -> None:
        asked = max(self.terms.heartbeat_s if retry_s is None else retry_s, self.terms.retry_first_s)
        # Less and less often.
        pause = min(asked * 2 ** min(self._refusals, 16), max(asked, self.terms.retry_last_s))
        self._refusals += 1
        self._stance, self._told, self._is_final, self._ask_at = _Stance.WAITING, reasons, False, None
        self._ask_due, self._retry_at = True, now + pause

    def _lose(self, reason: str) -> None:
        self._stance, self.end_reason = _Stance.CLOSED, reason
