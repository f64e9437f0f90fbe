"""The server's half of metering, small enough to be seen through: one account, counted in units."""

from __future__ import annotations

from dataclasses import dataclass, field

from footlight.metering.clock import Report, Verdict


class Denied(Exception):
    """A conflict, by its code."""


@dataclass
class Tab:
    """One session's account of itself."""

    number: int = 0
    answer: Verdict | None = None
    settled: int = 0
    held: int = 0
    end_reason: str | None = None
    is_closed: bool = False


@dataclass
class Ledger:
    """Holds, settles and answers each report once."""

    balance: int
    """Units that were bought and are not settled."""
    slice_units: int = 1500
    grace_units: int = 7500
    retry_s: float = 1.0
    pause_reasons: tuple[str, ...] = ()
    others_wait: bool = False
    charged: int = 0
    debt: int = 0
    applied: int = 0
    tabs: dict[str, Tab] = field(default_factory=dict)

    def end(self, session: str, reason: str) -> None:
        """End a session from this side, charged at what it last reported."""
        tab = self.tabs[session]
        tab.end_reason, tab.held = reason, 0

    def report(self, session: str, report: Report) -> Verdict:
        tab = self.tabs.setdefault(session, Tab())
        if report.epoch != 1:
            raise Denied("fenced")
        if report.number == tab.number and tab.answer:
            return tab.answer
        if report.number < tab.number:
            raise Denied("stale_request")
        if tab.is_closed:
            raise Denied("session_ended")
        assert report.units >= tab.settled, "units never fall"
        self.applied += 1
        self._settle(tab, report.units)
        tab.number, tab.answer = report.number, self._answer(tab, report)
        return tab.answer

    def _settle(self, tab: Tab, units: int) -> None:
        used = units - tab.settled
        tab.settled, tab.held = units, max(0, tab.held - used)
        self.charged += used
        self.balance -= used
        if self.balance < 0:
            self.debt -= self.balance
            self.balance = 0

    def _answer(self, tab: Tab, report: Report) -> Verdict:
        if report.end or tab.end_reason:
            tab.held, tab.is_closed = 0, report.end
            tab.end_reason = tab.end_reason or "stopped"
            return Verdict("ended", tab.settled, tab.settled, end_reason=tab.end_reason, others_wait=self.others_wait)
        if report.ask == "release":
            tab.held = 0
        verdict, reasons = "settled", self.pause_reasons
        if report.ask == "slice" and not reasons:
            others = sum(other.held for other in self.tabs.values() if other is not tab)
            tab.held = min(self.slice_units, self.balance - others)
            verdict = "granted" if tab.held == self.slice_units else "final" if tab.held else "refused"
            reasons = ("credits_exhausted",) if verdict == "refused" else ()
        elif reasons:
            verdict = "refused"
        return Verdict(
            verdict=verdict,
            slice_end=tab.settled + tab.held,
            settled_units=tab.settled,
            grace_units=self.grace_units if verdict == "granted" else 0,
            pause_reasons=reasons,
            others_wait=self.others_wait,
            retry_s=self.retry_s,
        )
