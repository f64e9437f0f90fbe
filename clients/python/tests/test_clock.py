"""The engine's decisions under a simulated clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest
from ledger import Denied, Ledger

from footlight.metering.clock import MeteredClock, Report, Taken, Terms, Verdict

FPS = 25
TERMS = Terms(epoch=1, heartbeat_s=60.0, grace_s=300.0)


@dataclass
class World:
    """An engine, a ledger, and the wire between them."""

    ledger: Ledger
    terms: Terms = TERMS
    fps: int = FPS
    seed: int = 0
    is_online: bool = True
    answer_s: float = 0.05
    fault: Callable[[random.Random], Literal["none", "drop", "lose", "slow", "twice"]] = lambda _random: "none"
    clock: MeteredClock = field(init=False)
    made: int = 0
    step: int = 0
    reports: list[tuple[float, Report]] = field(default_factory=list, repr=False)
    _late_copies: list[Report] = field(default_factory=list)
    _arrivals: list[tuple[float, Report, Verdict | Denied | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = MeteredClock(self.terms, self.now, self.random.random())

    @property
    def now(self) -> float:
        return self.step / self.fps

    def run(self, seconds: float, *, speaks: bool = True) -> list[Taken]:
        """Let time pass; a frame is wanted at each step."""
        seen = []
        for _ in range(round(seconds * self.fps)):
            self.step += 1
            self.wire()
            if speaks:
                taken = self.clock.take(self.now)
                self.made += taken is Taken.YES
                seen.append(taken)
            self.wire()
        return seen

    def wire(self) -> None:
        """Carry what is due."""
        for arrival in [arrival for arrival in self._arrivals if arrival[0] <= self.now]:
            self._arrivals.remove(arrival)
            _, report, outcome = arrival
            if isinstance(outcome, Verdict):
                self.clock.answered(self.now, report.number, outcome)
            elif isinstance(outcome, Denied):
                self.clock.denied(report.number, str(outcome))
            else:
                self.clock.unanswered(self.now, report.number, self.random.random())
        if due := self.clock.poll(self.now):
            self.reports.append((self.now, due))
            self._arrivals.append(self._carry(due))

    def _carry(self, report: Report) -> tuple[float, Report, Verdict | Denied | None]:
        fault = "drop" if not self.is_online else self.fault(self.random)
        if fault == "drop":
            return self.now + self.answer_s, report, None
        outcome = self._apply(report)
        if fault == "twice":
            assert self._apply(report) == outcome, "a report has one answer"
        if fault == "lose":
            # A copy of it may still arrive, when everybody has gone on.
            self._late_copies.append(report)
            return self.now + self.answer_s, report, None
        if self._late_copies and self.random.random() < 0.5:
            self._apply(self._late_copies.pop())
        return self.now + self.answer_s * (40 if fault == "slow" else 1), report, outcome

    def _apply(self, report: Report) -> Verdict | Denied:
        try:
            return self.ledger.report("ses", report)
        except Denied as denied:
            return denied

    def close(self) -> None:
        self.clock.end(self.now)
        for _ in range(100 * self.fps):
            if self.clock.is_closed:
                return
            self.step += 1
            self.wire()
        raise AssertionError("the session did not close")


def test_a_session_is_charged_to_the_frame_and_never_waits_at_a_boundary() -> None:
    world = World(Ledger(balance=100_000))
    seen = world.run(600)
    assert seen[0] is Taken.WAIT
    assert seen[5:] == [Taken.YES] * (len(seen) - 5), "the next slice is there before this one ends"
    gaps = [later - earlier for (earlier, _), (later, _) in zip(world.reports, world.reports[1:], strict=False)]
    assert max(gaps) <= 0.75 * 60 + 1, "it asks at 75 % of the slice"
    world.close()
    assert world.ledger.charged == world.made == world.clock.used == world.clock.settled
    assert world.clock.end_reason == "stopped"
    assert world.ledger.tabs["ses"].is_closed


def test_frames_end_where_the_credits_end_and_go_on_after_a_top_up() -> None:
    world = World(Ledger(balance=75))
    world.run(10)
    assert (world.made, world.clock.pause_reasons(world.now)) == (75, ("credits_exhausted",))
    assert world.clock.take(world.now) is Taken.PAUSED
    asked = len(world.reports)
    world.run(10)
    assert 2 <= len(world.reports) - asked <= 4, "it asks again when the server said, and less and less often"
    world.ledger.balance += 50
    world.run(10)
    assert (world.made, world.ledger.debt) == (125, 0)
    world.close()
    assert world.ledger.charged == 125


def test_four_minutes_offline_go_on_and_are_settled_on_return() -> None:
    world = World(Ledger(balance=100_000))
    world.run(30)
    world.is_online = False
    assert set(world.run(240)) == {Taken.YES}
    assert world.made > 1500, "beyond the slice"
    world.is_online = True
    assert world.run(60).count(Taken.WAIT) <= 3, "one round trip, to report what was made meanwhile"
    world.close()
    assert world.ledger.charged == world.made


def test_six_minutes_offline_pause_at_five_and_resume_on_return() -> None:
    world = World(Ledger(balance=100_000))
    world.run(30)
    sent_at, last_good = world.reports[-1]
    world.is_online = False
    seen = world.run(360)
    paused = seen.index(Taken.PAUSED)
    assert 30 + (paused + 1) / FPS == pytest.approx(sent_at + 300, abs=2 / FPS), "counted from before it was sent"
    assert set(seen[paused:]) == {Taken.PAUSED}
    assert world.clock.pause_reasons(world.now) == ("store_unreachable",)
    unanswered = [report for at, report in world.reports if at > 30]
    assert {report.number for report in unanswered} == {last_good.number + 1}, "one number, however often it is sent"
    assert len({report.units for report in unanswered}) == 1
    assert len(unanswered) < 200, "it backs off"
    world.is_online = True
    seen = world.run(30)
    assert seen[-1] is Taken.YES
    world.close()
    assert world.ledger.charged == world.made


def test_a_short_slice_ends_with_its_grace_units() -> None:
    world = World(Ledger(balance=100_000, slice_units=250, grace_units=100))
    world.run(2)
    world.is_online = False
    world.run(100)
    assert world.made == 350
    assert world.clock.pause_reasons(world.now) == ("store_unreachable",)
    world.is_online = True
    world.run(10)
    world.close()
    assert world.ledger.charged == world.made > 350


def test_a_last_slice_has_no_grace() -> None:
    world = World(Ledger(balance=75))
    world.run(1)
    world.is_online = False
    world.run(20)
    assert (world.made, world.clock.pause_reasons(world.now)) == (75, ("store_unreachable",))


def test_grace_never_follows_a_refusal() -> None:
    world = World(Ledger(balance=100_000))
    world.run(10)
    world.ledger.pause_reasons = ("by_request",)
    world.run(60)
    paused_at = world.made
    world.is_online = False
    assert set(world.run(30)) == {Taken.PAUSED}
    assert world.made == paused_at
    assert world.ledger.tabs["ses"].held == 0, "what it may not use went back"


def test_a_refusal_for_want_of_credit_leaves_what_is_held() -> None:
    world = World(Ledger(balance=100_000, slice_units=250))
    world.run(2)
    world.ledger.pause_reasons = ("debt",)
    world.run(30)
    assert world.made == 250, "it is paid for"
    assert world.clock.pause_reasons(world.now) == ("debt",)


def test_words_that_are_not_known_pause() -> None:
    world = World(Ledger(balance=100_000))
    world.run(1)
    world.ledger.pause_reasons = ("a_new_reason",)
    world.run(60)
    assert world.clock.pause_reasons(world.now) == ("a_new_reason",)
    world.ledger.pause_reasons = ()
    assert world.run(5)[-1] is Taken.YES


def test_an_engine_without_work_gives_its_slice_back_and_gets_another() -> None:
    world = World(Ledger(balance=100_000))
    world.run(5)
    world.run(12, speaks=False)
    assert (world.ledger.tabs["ses"].held, world.ledger.charged) == (0, world.made)
    beats = len(world.reports)
    world.run(300, speaks=False)
    assert 4 <= len(world.reports) - beats <= 7, "it is still heard of"
    assert {report.ask for _, report in world.reports[beats:]} == {"release"}
    seen = world.run(5)
    assert (seen[0], seen[-1]) == (Taken.WAIT, Taken.YES)


def test_it_gives_back_at_once_while_others_wait_and_does_not_ask_ahead() -> None:
    world = World(Ledger(balance=100_000, others_wait=True, slice_units=250))
    world.run(9)
    assert len(world.reports) == 1, "nobody asks ahead"
    world.run(2, speaks=False)
    assert world.ledger.tabs["ses"].held == 0


def test_an_answer_that_takes_long_is_waited_for_and_then_counts_as_none() -> None:
    world = World(Ledger(balance=100_000, slice_units=50))
    world.run(1)
    world.answer_s = 10
    seen = world.run(9)
    assert seen.index(Taken.WAIT) < len(seen) - 1, "first it waits for the answer"
    assert seen[-1] is Taken.YES, "then it goes on with its grace"
    world.answer_s = 0.05
    world.run(30)
    world.close()
    assert world.ledger.charged == world.made


def test_first_reports_are_spread_over_the_second_half_of_a_heartbeat() -> None:
    firsts = []
    for seed in range(50):
        world = World(Ledger(balance=10**6, slice_units=10**5), seed=seed)
        world.run(1)
        while len(world.reports) < 2:
            world.run(0.2)
        firsts.append(world.reports[1][0] - world.reports[0][0])
    assert 30 <= min(firsts) < 36
    assert 54 < max(firsts) <= 61


def test_the_end_overtakes_what_is_in_the_air() -> None:
    clock = MeteredClock(TERMS, 0.0, 0.5)
    assert clock.take(0.0) is Taken.WAIT
    first = clock.poll(0.0)
    clock.end(1.0)
    last = clock.poll(1.0)
    assert first is not None
    assert last == Report(epoch=1, number=first.number + 1, units=0, ask="release", end=True)
    clock.answered(1.1, first.number, Verdict("granted", 1500, 0))
    assert (clock.take(1.1), clock.is_closed) == (Taken.ENDED, False)
    clock.answered(1.2, last.number, Verdict("ended", 0, 0, end_reason="stopped"))
    assert clock.is_closed
    assert clock.poll(100.0) is None


def test_what_was_made_after_the_server_ended_it_is_reported_late() -> None:
    world = World(Ledger(balance=100_000))
    world.run(5)
    world.ledger.end("ses", "engine_lost")
    world.run(60)
    assert (world.clock.end_reason, world.clock.is_closed) == ("engine_lost", True)
    assert world.ledger.charged == world.made == world.clock.used
    assert world.reports[-1][1].end


@pytest.mark.parametrize("code", ["fenced", "session_ended", "stale_request"])
def test_a_conflict_ends_it(code: str) -> None:
    clock = MeteredClock(TERMS, 0.0, 0.5)
    clock.take(0.0)
    report = clock.poll(0.0)
    assert report is not None
    clock.denied(report.number, code)
    assert (clock.take(1.0), clock.end_reason, clock.poll(1.0)) == (Taken.ENDED, code, None)


def test_a_key_that_was_revoked_pauses_without_grace() -> None:
    world = World(Ledger(balance=100_000))
    world.run(5)
    world.is_online = False
    world.run(50)
    pending = world.reports[-1][1]
    world._arrivals.clear()
    world.clock.barred(world.now, pending.number, "key_revoked")
    assert world.clock.take(world.now) is Taken.PAUSED
    assert world.clock.pause_reasons(world.now) == ("key_revoked",)


def test_a_server_that_says_nothing_sensible_is_not_asked_in_a_loop() -> None:
    answers = [
        Verdict("granted", 0, 0),
        Verdict("refused", 0, 0, retry_s=0.0),
        Verdict("refused", 10, 0, pause_reasons=("by_request",), retry_s=0.0),
        Verdict("granted", 10, 0, pause_reasons=("by_request",), retry_s=0.0),
        Verdict("no_such_verdict", 0, 0),
    ]
    for answer in answers:
        clock = MeteredClock(TERMS, 0.0, 0.5)
        sent = 0
        for tick in range(1000):
            now = tick / 100
            clock.take(now)
            while report := clock.poll(now):
                sent += 1
                assert sent <= 60, answer
                clock.answered(now, report.number, answer)


@pytest.mark.parametrize("seed", range(2))
def test_ten_thousand_reports_over_a_bad_wire_charge_every_frame_once(seed: int) -> None:
    terms = Terms(epoch=1, heartbeat_s=1.0, grace_s=5.0)
    faults: list[Literal["none", "drop", "lose", "slow", "twice"]] = ["none", "drop", "lose", "slow", "twice"]
    world = World(
        Ledger(balance=10**9, slice_units=25, grace_units=125, retry_s=0.5),
        terms,
        seed=seed,
        fault=lambda chance: chance.choices(faults, weights=[60, 10, 10, 10, 10])[0],
    )
    while world.ledger.applied < 10_000:
        chance = world.random.random()
        world.is_online = chance > 0.02
        world.ledger.pause_reasons = ("by_request",) if chance > 0.99 else ()
        world.ledger.others_wait = 0.5 < chance < 0.55
        # Poor for a moment, now and then.
        world.ledger.balance = world.random.randrange(60) if 0.7 < chance < 0.72 else 10**9
        world.run(world.random.uniform(0.1, 7.0), speaks=chance > 0.1)
        granted = world.ledger.tabs["ses"].settled + world.ledger.tabs["ses"].held if world.reports else 0
        assert world.clock.used <= max(granted, world.clock.settled) + 150
    world.is_online, world.ledger.balance = True, 10**9
    world.close()
    assert world.ledger.charged == world.made == world.clock.used
    assert world.made > 120_000


def test_grace_counts_from_the_first_attempt_at_what_was_answered() -> None:
    clock = MeteredClock(TERMS, 0.0, 0.5)
    clock.take(0.0)
    first = clock.poll(0.0)
    assert first is not None
    # It may have been done at the first attempt already, and the server counts from there.
    clock.unanswered(10.0, first.number, 0.5)
    assert clock.poll(100.0) == first
    clock.answered(100.1, first.number, Verdict("granted", 10_000, 0, grace_units=10_000))
    assert clock.take(299.9) is Taken.YES
    assert clock.take(300.0) is not Taken.YES


def test_a_last_slice_has_no_grace_whatever_the_server_says() -> None:
    clock = MeteredClock(TERMS, 0.0, 0.5)
    clock.take(0.0)
    first = clock.poll(0.0)
    assert first is not None
    clock.answered(0.1, first.number, Verdict("final", 2, 0, grace_units=100))
    assert [clock.take(1.0) for _ in range(3)] == [Taken.YES, Taken.YES, Taken.WAIT]
    second = clock.poll(1.0)
    assert second is not None
    clock.unanswered(2.0, second.number, 0.5)
    assert clock.take(3.0) is Taken.PAUSED


def test_connected_time_after_the_grace_is_never_made_up_for() -> None:
    clock = MeteredClock(Terms(epoch=1, heartbeat_s=60.0, grace_s=300.0, connected=True), 0.0, 0.5)
    clock.take(0.0)
    first = clock.poll(0.0)
    assert first is not None
    clock.answered(0.0, first.number, Verdict("granted", 10**6, 0))
    second = clock.poll(60.0)
    assert second is not None
    for now in range(61, 400):
        clock.elapse(float(now))
    assert clock.used == 300_000
    clock.answered(400.0, second.number, Verdict("granted", 10**6, 60_000))
    clock.elapse(401.0)
    assert clock.used == 300_000, "the answer belongs to a report of long ago: the grace is still over"
    third = clock.poll(401.0)
    assert third is not None
    clock.answered(401.0, third.number, Verdict("granted", 10**6, 300_000))
    clock.elapse(411.0)
    assert clock.used == 310_000


def test_connected_time_counts_while_it_may_and_only_then() -> None:
    terms = Terms(epoch=1, heartbeat_s=60.0, grace_s=300.0, connected=True)
    world = World(Ledger(balance=90_000, slice_units=60_000, grace_units=300_000), terms)
    world.run(80, speaks=False)
    assert world.clock.used == 0, "it has not begun"
    world.run(1)
    start = world.now
    world.run(50, speaks=False)
    assert world.clock.used == pytest.approx((world.now - start + 1) * 1000, abs=150)
    world.run(100, speaks=False)
    assert (world.clock.used, world.ledger.charged) == (90_000, 90_000)
    assert world.clock.pause_reasons(world.now) == ("credits_exhausted",)
    world.ledger.balance = 10_000_000
    world.run(20, speaks=False)
    used = world.clock.used
    assert 105_000 < used < 111_000
    world.is_online = False
    world.run(400, speaks=False)
    offline = world.clock.used - used
    assert 240_000 < offline <= 300_000, "the grace counts from the last answer"
    world.is_online = True
    world.run(10, speaks=False)
    assert world.clock.used - used - offline <= 10_000, "time in which it was paused is free"
    world.close()
    assert world.ledger.charged == world.clock.used
