"""The metered engine against a real node: what it charges, and what survives."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import PATIENCE_S, SLOW, Account, Node
from proxy import Fault, FaultProxy

from footlight import AsyncMeteredEngine, Client, MeteredEngine, Session, Unauthorized

PRODUCT = "essence_self_hosted"
# One credit a minute, at 25 frames a second.
PRICE_OF_A_FRAME = Decimal(1) / (60 * 25)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose minutes take a second."""
    node = Node(
        tmp_path_factory.mktemp("quick"),
        FOOTLIGHT_METERING__HEARTBEAT="1s",
        FOOTLIGHT_METERING__GRACE="8s",
        FOOTLIGHT_METERING__MIN_SLICE="200ms",
    )
    node.start()
    yield node
    node.stop()


def test_frames_are_charged_to_the_frame(node: Node, tmp_path: Path) -> None:
    account = node.account(credits="100")
    with MeteredEngine(node.url, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine:
        assert all(engine.take() for _ in range(130))
    _check_bill(node, account, engine)
    with Client(node.url, account.api_secret) as client:
        session = _session(client, engine)
        assert (session.state, session.end_reason, session.surface) == ("ended", "stopped", "self_hosted")
        assert client.credits().balance == 100 - session.credits_used
        assert sum(row.units for row in client.usage(session=session.id)) == 130
    assert engine.credits_used == session.credits_used


def test_frames_stop_where_the_credits_end_and_resume_after_a_top_up(quick: Node, tmp_path: Path) -> None:
    account = quick.account(credits="0.05")
    with MeteredEngine(quick.url, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine:
        made = 0
        while engine.take():
            made += 1
        assert (made, engine.pause_reasons) == (75, ("credits_exhausted",))
        quick.grant(account, "0.05")
        assert engine.wait(PATIENCE_S)
        while engine.take():
            made += 1
        assert made == 150
    _check_bill(quick, account, engine)


def test_a_bad_secret_fails_at_once(node: Node, tmp_path: Path) -> None:
    with pytest.raises(Unauthorized):
        MeteredEngine(node.url, "fl_live_wrong", product=PRODUCT, state_dir=tmp_path).start()


def test_the_server_pauses_resumes_and_stops_it(quick: Node, tmp_path: Path) -> None:
    account = quick.account()
    with (
        Client(quick.url, account.api_secret) as client,
        MeteredEngine(quick.url, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine,
    ):
        assert engine.take()
        session_id = _session(client, engine).id
        client.pause_session(session_id)
        _speak_until(engine, lambda: engine.pause_reasons == ("by_request",))
        assert not engine.take()
        client.resume_session(session_id)
        assert engine.wait(PATIENCE_S)
        assert engine.take()
        client.stop_session(session_id)
        _speak_until(engine, lambda: engine.end_reason is not None)
        assert (engine.take(), engine.end_reason) == (False, "stopped")
    _check_bill(quick, account, engine)


def test_a_secret_that_is_revoked_pauses_it_and_what_it_made_is_settled(quick: Node, tmp_path: Path) -> None:
    account = quick.account()
    with Client(quick.url, account.api_secret) as client:
        secret = client.me().secret
    with MeteredEngine(quick.url, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine:
        assert engine.take()
        quick.admin("DELETE", f"/admin/v1/accounts/{account.id}/secrets/{secret}")
        _speak_until(engine, lambda: engine.pause_reasons == ("key_revoked",))
        assert not engine.take()
    assert engine.end_reason == "stopped"
    assert list(tmp_path.iterdir()) == [], "the token was good for the last report"
    usage = quick.admin("GET", f"/admin/v1/accounts/{account.id}")["totals"]
    assert Decimal(str(usage["spent"])) == _floor(engine.units * PRICE_OF_A_FRAME)


def test_a_bad_wire_charges_every_frame_once(quick: Node, tmp_path: Path) -> None:
    account = quick.account()
    chance = random.Random(3)
    faults: list[Fault] = ["none", "drop", "lose", "delay", "duplicate"]

    def fault(_method: str, path: str) -> Fault:
        return chance.choices(faults, weights=[50, 15, 15, 5, 15])[0] if "heartbeats" in path else "none"

    with FaultProxy(quick.url, fault) as proxy:
        with MeteredEngine(
            proxy.address, account.api_secret, product=PRODUCT, fps=50, state_dir=tmp_path, close_timeout=60
        ) as engine:
            made = 0
            while sum("heartbeats" in request for request in proxy.requests) < 60:
                made += engine.take()
                time.sleep(0.002)
        assert engine.units == made
    _check_bill(quick, account, engine, fps=50)


def test_a_create_whose_answer_is_lost_begins_one_session(node: Node, tmp_path: Path) -> None:
    account = node.account()
    faults: list[Fault] = ["lose"]
    with (
        FaultProxy(node.url, lambda _, path: faults.pop() if path == "/v1/sessions" and faults else "none") as proxy,
        MeteredEngine(proxy.address, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine,
        Client(node.url, account.api_secret) as client,
    ):
        assert engine.take()
        assert len(list(client.list_sessions())) == 1
    _check_bill(node, account, engine)


def test_outages_go_on_pause_and_are_settled(quick: Node, tmp_path: Path) -> None:
    account = quick.account()
    is_online = [True]
    with (
        FaultProxy(quick.url, lambda *_: "none" if is_online[0] else "drop") as proxy,
        MeteredEngine(proxy.address, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path) as engine,
    ):
        _speak_until(engine, lambda: engine.units >= 25)
        is_online[0] = False
        used, beyond = engine.units, time.monotonic() + 2
        _speak_until(engine, lambda: time.monotonic() > beyond)
        assert engine.units > used
        assert engine.pause_reasons == ()
        is_online[0] = True
        _speak_until(engine, lambda: engine.credits_used > used * PRICE_OF_A_FRAME)
        is_online[0] = False
        _speak_until(engine, lambda: engine.pause_reasons == ("store_unreachable",))
        used = engine.units
        assert not engine.take()
        is_online[0] = True
        assert engine.wait(PATIENCE_S)
        assert engine.take()
        assert engine.units == used + 1
    _check_bill(quick, account, engine)


def test_connected_time_is_charged_by_the_millisecond(quick: Node, tmp_path: Path) -> None:
    account = quick.account()
    began = time.monotonic()
    with MeteredEngine(quick.url, account.api_secret, product="expression_on_device", state_dir=tmp_path) as engine:
        assert engine.wait(PATIENCE_S)
        while engine.units < 2_500:
            assert time.monotonic() - began < PATIENCE_S
            time.sleep(0.05)
        assert engine.units <= (time.monotonic() - began) * 1000
    with Client(quick.url, account.api_secret) as client:
        session = _session(client, engine)
        assert session.credits_used == _floor(Decimal(engine.units) * 2 / 60_000)
        assert sum(row.units for row in client.usage(session=session.id)) == engine.units


def test_asyncio_is_charged_the_same(quick: Node, tmp_path: Path) -> None:
    account = quick.account(credits="0.05")

    async def use() -> AsyncMeteredEngine:
        engine = AsyncMeteredEngine(quick.url, account.api_secret, product=PRODUCT, fps=25, state_dir=tmp_path)
        async with engine:
            made = 0
            while await engine.take():
                made += 1
            assert (made, engine.pause_reasons) == (75, ("credits_exhausted",))
            quick.grant(account, "0.01")
            assert await engine.wait(PATIENCE_S)
            assert await engine.take()
        return engine

    _check_bill(quick, account, asyncio.run(use()))


def test_killed_servers_and_engines_lose_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", FOOTLIGHT_METERING__HEARTBEAT="1s", FOOTLIGHT_METERING__GRACE="20s")
    (tmp_path / "node").mkdir()
    node.start()
    try:
        account = node.account()
        state = tmp_path / "state"
        made = []
        for run in range(3):
            command = [sys.executable, "-c", _ENGINE, node.url, account.api_secret, str(state)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                seen = 0
                for _ in range(60 + 20 * run):
                    assert process.stdout.readline() == b"frame\n"
                    seen += 1
                node.kill()
                node.start()
                for _ in range(40):
                    assert process.stdout.readline() == b"frame\n"
                    seen += 1
                process.send_signal(signal.SIGKILL)
                made.append(seen + process.stdout.read().count(b"frame\n"))
        with MeteredEngine(node.url, account.api_secret, product=PRODUCT, fps=25, state_dir=state) as engine:
            assert [former.outcome for former in engine.former] == ["settled"]
        with Client(node.url, account.api_secret) as client:
            sessions = sorted(client.list_sessions(), key=lambda session: session.created_at)
            for session, frames in zip(sessions, [*made, 0], strict=True):
                # A frame that was counted and killed on its way out is charged: it is counted before it is made.
                assert 0 <= session.frames - frames <= 1
                assert session.credits_used == _floor(session.frames * PRICE_OF_A_FRAME)
    finally:
        node.stop()


_ENGINE = """
import os, sys, time
from footlight import MeteredEngine
with MeteredEngine(sys.argv[1], sys.argv[2], product="essence_self_hosted", fps=25, state_dir=sys.argv[3]) as engine:
    while True:
        if engine.take():
            os.write(1, b"frame\\n")
        time.sleep(0.02)
"""


@pytest.mark.skipif(not SLOW, reason="waits until a node gives an engine up: FOOTLIGHT_SLOW_TESTS=1")
def test_what_an_engine_used_before_it_was_given_up_is_charged_late(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", FOOTLIGHT_METERING__HEARTBEAT="1s", FOOTLIGHT_METERING__GRACE="1s")
    (tmp_path / "node").mkdir()
    node.start()
    try:
        account, state = node.account(), tmp_path / "state"
        command = [sys.executable, "-c", _ENGINE, node.url, account.api_secret, str(state)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        with process, Client(node.url, account.api_secret) as client:
            assert process.stdout is not None
            for _ in range(70):
                assert process.stdout.readline() == b"frame\n"
            process.send_signal(signal.SIGKILL)
            made = 70 + process.stdout.read().count(b"frame\n")
            (session,) = client.list_sessions()
            deadline = time.monotonic() + PATIENCE_S
            while client.get_session(session.id).end_reason != "engine_lost":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            with MeteredEngine(node.url, account.api_secret, product=PRODUCT, state_dir=state) as engine:
                (former,) = engine.former
            assert (former.outcome, former.late) == ("settled", True)
            assert 0 <= former.units - made <= 1
            assert former.credits_used == _floor(former.units * PRICE_OF_A_FRAME)
            assert client.credits().balance == 1800 - former.credits_used
    finally:
        node.stop()


def _speak_until(engine: MeteredEngine, condition: Callable[[], bool]) -> None:
    """Make frames at a steady pace, as engines do."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        engine.take()
        time.sleep(0.02)


def _session(client: Client, engine: MeteredEngine | AsyncMeteredEngine) -> Session:
    assert engine.session is not None
    return client.get_session(engine.session.id)


def _check_bill(node: Node, account: Account, engine: MeteredEngine | AsyncMeteredEngine, fps: int = 25) -> None:
    with Client(node.url, account.api_secret) as client:
        session = _session(client, engine)
        assert session.frames == engine.units
        assert session.credits_used == _floor(engine.units * PRICE_OF_A_FRAME * 25 / fps)
    assert node.admin("GET", "/admin/v1/audit")["balanced"]


def _floor(credits: Decimal) -> Decimal:
    # A hair more: what divides evenly must not fall below itself.
    return Decimal(int(credits * 10**6 + Decimal("1e-9"))) / 10**6
