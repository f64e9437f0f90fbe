"""Both metered engines against a small server that can be made to fail in every way."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import PATIENCE_S
from fake_node import FakeNode
from ledger import Ledger
from proxy import Fault, FaultProxy

from footlight import AsyncMeteredEngine, MeteredEngine, Unauthorized
from footlight.metering.record import KEPT_S, RecordHead, UsageRecord

PRODUCT = "essence_self_hosted"


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with FakeNode(Ledger(balance=10**9, slice_units=50, grace_units=250, retry_s=0.1)) as node:
        yield node


def test_frames_are_charged_and_the_record_goes_with_the_session(node: FakeNode, tmp_path: Path) -> None:
    with MeteredEngine(node.url, node.secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine:
        assert engine.session is not None
        assert engine.session.fps == 25
        assert len(list(tmp_path.glob("*.usage"))) == 1
        assert all(engine.take() for _ in range(120))
        assert (engine.units, engine.pause_reasons, engine.end_reason) == (120, (), None)
    assert (node.ledger.charged, engine.units, engine.end_reason) == (120, 120, "stopped")
    assert engine.credits_used == Decimal("0.08")
    assert list(tmp_path.iterdir()) == []


def test_frames_stop_where_the_credits_end_and_resume_after_a_top_up(node: FakeNode, tmp_path: Path) -> None:
    node.ledger.balance = 75
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
        made = 0
        while engine.take():
            made += 1
        assert (made, engine.pause_reasons) == (75, ("credits_exhausted",))
        assert not engine.wait(0.05)
        node.ledger.balance = 25
        assert engine.wait(PATIENCE_S)
        while engine.take():
            made += 1
        assert made == 100
    assert (node.ledger.charged, node.ledger.debt) == (100, 0)


def test_a_bad_secret_fails_at_once(node: FakeNode, tmp_path: Path) -> None:
    with pytest.raises(Unauthorized) as refused:
        MeteredEngine(node.url, "fl_live_wrong", product=PRODUCT, state_dir=tmp_path).start()
    assert (refused.value.code, node.exchanges) == ("api_secret_invalid", 1), "it is never tried again"
    assert (node.sessions, list(tmp_path.iterdir())) == ({}, [])


def test_a_token_that_expired_is_renewed(node: FakeNode, tmp_path: Path) -> None:
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
        for _ in range(3):
            assert all(engine.take() for _ in range(60))
            node.tokens.clear()
    assert node.ledger.charged == 180
    assert node.exchanges > 1


def test_a_secret_that_was_revoked_pauses_and_leaves_the_record(
    node: FakeNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=0.5) as engine:
        assert engine.take()
        node.secret, secret = "fl_live_other", node.secret
        node.tokens.clear()
        _wait_until(lambda: not engine.take())
        assert engine.pause_reasons == ("key_revoked",)
    assert "is not settled" in caplog.text
    assert len(list(tmp_path.glob("*.usage"))) == 1
    node.secret = secret
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as later:
        assert [(former.units, former.outcome) for former in later.former] == [(engine.units, "settled")]
    assert node.ledger.charged == engine.units


def test_an_outage_within_the_grace_is_not_noticed_and_a_longer_one_pauses(node: FakeNode, tmp_path: Path) -> None:
    node.grace_ms = 5000
    node.ledger.grace_units = 10_000
    is_online = [True]
    with FaultProxy(node.url, lambda *_: "none" if is_online[0] else "drop") as proxy:
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
            assert _make(engine, 40) == 40
            is_online[0] = False
            assert _make(engine, 100) == 100, "beyond the slice, with the grace"
            is_online[0] = True
            assert _make(engine, 100) == 100
            is_online[0] = False
            _wait_until(lambda: not engine.take())
            assert engine.pause_reasons == ("store_unreachable",)
            is_online[0] = True
            assert engine.wait(PATIENCE_S)
            assert _make(engine, 10) == 10
        assert node.ledger.charged == engine.units


def test_a_proxy_that_knows_no_such_page_does_not_end_a_session(node: FakeNode, tmp_path: Path) -> None:
    is_in_place = [True]
    with FaultProxy(node.url, lambda *_: "none" if is_in_place[0] else "not_found") as proxy:
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
            assert _make(engine, 20) == 20
            is_in_place[0] = False
            assert _make(engine, 100) == 100, "with the grace"
            is_in_place[0] = True
            assert _make(engine, 100) == 100
        assert (node.ledger.charged, engine.end_reason) == (engine.units, "stopped")


def test_a_bad_wire_charges_every_frame_once(node: FakeNode, tmp_path: Path) -> None:
    node.heartbeat_ms = 240
    node.ledger.slice_units = 12
    chance = random.Random(1)
    faults: list[Fault] = ["none", "drop", "lose", "delay", "duplicate"]

    def fault(_method: str, path: str) -> Fault:
        return chance.choices(faults, weights=[60, 10, 10, 5, 15])[0] if "heartbeats" in path else "none"

    with FaultProxy(node.url, fault, delay_s=0.05) as proxy:
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=60) as engine:
            made = 0
            while node.ledger.applied < 100:
                made += engine.take()
                time.sleep(0.0005)
        assert node.ledger.charged == made == engine.units
        assert engine.end_reason == "stopped"


def test_what_a_killed_engine_made_is_reported_by_the_next_start(node: FakeNode, tmp_path: Path) -> None:
    killed = []
    for run in range(5):
        command = [sys.executable, "-c", _ENGINE, node.url, node.secret, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as engine:
            assert engine.stdout is not None
            made = 0
            for _ in range(40 + 37 * run):
                assert engine.stdout.readline() == b"frame\n"
                made += 1
            engine.send_signal(signal.SIGKILL)
            made += engine.stdout.read().count(b"frame\n")
            killed.append(made)
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
        assert [former.outcome for former in engine.former] == ["settled"]
    charged = sorted(tab.settled for tab in node.ledger.tabs.values())
    # A frame that was counted and killed on its way out is charged: it is counted before it is made.
    for settled, made in zip(charged[1:], sorted(killed), strict=True):
        assert 0 <= settled - made <= 1
    assert list(tmp_path.iterdir()) == []


_ENGINE = """
import os, sys, time
from footlight import MeteredEngine
with MeteredEngine(sys.argv[1], sys.argv[2], product="essence_self_hosted", state_dir=sys.argv[3]) as engine:
    while True:
        if engine.take():
            os.write(1, b"frame\\n")
        time.sleep(0.002)
"""


def test_an_engine_that_cannot_settle_leaves_it_to_the_next_start(node: FakeNode, tmp_path: Path) -> None:
    is_online = [True]
    with FaultProxy(node.url, lambda *_: "none" if is_online[0] else "drop") as proxy:
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=0.2) as one:
            assert _make(one, 20) == 20
            is_online[0] = False
        is_online[0] = True
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path) as two:
            assert [(former.units, former.outcome) for former in two.former] == [(20, "settled")]
    assert node.ledger.charged == 20


def test_a_record_that_was_noted_too_seldom_is_settled_all_the_same(node: FakeNode, tmp_path: Path) -> None:
    is_online = [True]
    with FaultProxy(node.url, lambda *_: "none" if is_online[0] else "drop") as proxy:
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=0.2) as one:
            assert _make(one, 80) == 80
            is_online[0] = False
        (record,) = UsageRecord.abandoned(tmp_path)
        assert record.number > 1, "several reports were answered"
        record.write(0, record.units)
        record.close()
        is_online[0] = True
        with MeteredEngine(proxy.address, node.secret, product=PRODUCT, state_dir=tmp_path) as two:
            assert [(former.units, former.outcome) for former in two.former] == [(80, "settled")]
    assert node.ledger.charged == 80


def test_engines_that_run_side_by_side_leave_each_other_alone(node: FakeNode, tmp_path: Path) -> None:
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as one:
        assert one.take()
        with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as two:
            assert (two.former, two.take(), one.take()) == ((), True, True)
    assert node.ledger.charged == 3


def test_a_session_that_the_server_ended_is_over(node: FakeNode, tmp_path: Path) -> None:
    with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path) as engine:
        assert engine.take()
        assert engine.session is not None
        node.ledger.end(engine.session.id, "max_duration")
        _wait_until(lambda: not engine.take())
        assert (engine.end_reason, engine.wait(5)) == ("max_duration", False)
    assert node.ledger.charged == engine.units
    assert list(tmp_path.iterdir()) == []


def test_connected_time_is_counted_by_itself(node: FakeNode, tmp_path: Path) -> None:
    node.units_per_minute, node.ledger.slice_units = 60_000, 1000
    began = time.monotonic()
    with MeteredEngine(node.url, node.secret, product="expression_on_device", state_dir=tmp_path) as engine:
        assert engine.wait(PATIENCE_S)
        _wait_until(lambda: engine.units >= 1500)
        assert engine.units <= (time.monotonic() - began) * 1000
    assert node.ledger.charged == engine.units


def test_asyncio_does_the_same(node: FakeNode, tmp_path: Path) -> None:
    async def use() -> None:
        with pytest.raises(Unauthorized):
            await AsyncMeteredEngine(node.url, "fl_live_wrong", product=PRODUCT, state_dir=tmp_path).start()
        node.ledger.balance = 75
        engine = AsyncMeteredEngine(node.url, node.secret, product=PRODUCT, fps=25, state_dir=tmp_path)
        async with engine:
            made = 0
            while await engine.take():
                made += 1
            assert (made, engine.pause_reasons) == (75, ("credits_exhausted",))
            assert not await engine.wait(0.05)
            node.ledger.balance = 10
            assert await engine.wait(PATIENCE_S)
            assert await engine.take()
        assert (node.ledger.charged, engine.units, engine.end_reason) == (76, 76, "stopped")

    asyncio.run(use())
    assert list(tmp_path.iterdir()) == []


def test_asyncio_survives_a_bad_wire_and_leaves_what_it_cannot_settle(node: FakeNode, tmp_path: Path) -> None:
    chance = random.Random(7)
    faults: list[Fault] = ["none", "drop", "lose", "duplicate"]
    is_online = [True]

    def fault(_method: str, path: str) -> Fault:
        if "heartbeats" not in path:
            return "none"
        return chance.choices(faults, weights=[60, 15, 10, 15])[0] if is_online[0] else "drop"

    async def use(url: str) -> None:
        engine = AsyncMeteredEngine(url, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=0.2)
        async with engine:
            while node.ledger.applied < 40:
                await engine.take()
                await asyncio.sleep(0.001)
            is_online[0] = False
        is_online[0] = True
        async with AsyncMeteredEngine(url, node.secret, product=PRODUCT, state_dir=tmp_path, close_timeout=60) as two:
            assert [(former.units, former.outcome) for former in two.former] == [(engine.units, "settled")]
        assert node.ledger.charged == engine.units

    node.heartbeat_ms, node.ledger.slice_units = 240, 12
    with FaultProxy(node.url, fault) as proxy:
        asyncio.run(use(proxy.address))


def test_unmetered_makes_no_request_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FOOTLIGHT_UNMETERED", "1")

    async def use() -> None:
        async with AsyncMeteredEngine(proxy.address, product=PRODUCT, state_dir=tmp_path) as engine:
            assert await engine.take()
            assert await engine.wait()

    with FaultProxy("http://127.0.0.1:9") as proxy:
        with MeteredEngine(proxy.address, product=PRODUCT, state_dir=tmp_path) as engine:
            assert all(engine.take() for _ in range(1000))
            assert engine.wait()
        assert (engine.is_metered, engine.units, engine.session, engine.former) == (False, 1000, None, ())
        asyncio.run(use())
        assert proxy.requests == []
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "NOTHING IS METERED" in warnings[0].getMessage()
    assert list(tmp_path.iterdir()) == []


def test_sound_alone_needs_no_account(tmp_path: Path) -> None:
    with FaultProxy("http://127.0.0.1:9") as proxy:
        with MeteredEngine(proxy.address, product="audio_only", state_dir=tmp_path) as engine:
            assert engine.take()
        assert proxy.requests == []


def test_records_of_others_and_damaged_ones_stay(
    node: FakeNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for url, session in (("http://elsewhere", "ses_elsewhere"), (node.url, "ses_unknown"), (node.url, "ses_forgotten")):
        record = UsageRecord.create(tmp_path, RecordHead(url, session, "self_hosted", 1))
        record.write(3, 100)
        record.sync()
        record.close()
    (tmp_path / "ses_damaged.usage").write_text("{")
    long_ago = time.time() - KEPT_S - 60
    os.utime(tmp_path / "ses_forgotten.usage", (long_ago, long_ago))
    for _ in range(2):
        with MeteredEngine(node.url, node.secret, product=PRODUCT, state_dir=tmp_path):
            pass
    assert "ses_damaged.usage is no record of usage" in caplog.text
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["ses_damaged", "ses_elsewhere", "ses_unknown"]
    found = {record.head.session_id: record for record in UsageRecord.abandoned(tmp_path)}
    assert (found["ses_unknown"].number, found["ses_unknown"].units) == (5, 100), "each start has a number of its own"
    assert (found["ses_elsewhere"].number, found["ses_elsewhere"].units) == (3, 100)
    for record in found.values():
        record.close()


def _make(engine: MeteredEngine, frames: int) -> int:
    """Make frames at a steady pace, as engines do."""
    made, deadline = 0, time.monotonic() + PATIENCE_S
    while made < frames and time.monotonic() < deadline:
        made += engine.take()
        time.sleep(0.01)
    return made


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
