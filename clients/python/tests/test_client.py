"""Both clients against a real node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from conftest import SPEECH, Account, Node
from proxy import Fault, FaultProxy

from footlight import (
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    CreditsExhausted,
    Forbidden,
    InvalidRequest,
    NotFound,
    SessionEnded,
    TooMany,
    Unauthorized,
)


@pytest.fixture
def client(node: Node, account: Account) -> Iterator[Client]:
    with Client(node.url, account.api_secret) as client:
        yield client


def test_a_session_is_created_read_paused_resumed_and_stopped(client: Client) -> None:
    session = client.create_session(avatar="miles", fps=20, width=256, height=256, metadata={"caller": "42"})
    assert (session.avatar, session.fps, session.metadata) == ("miles", 20, {"caller": "42"})
    assert client.pause_session(session.id).pause_reasons == ("by_request",)
    assert client.get_session(session.id).state == "paused"
    assert client.resume_session(session.id).pause_reasons == ()
    assert client.interrupt(session.id).utterance_id is None
    ended = client.stop_session(session.id)
    assert (ended.state, ended.frames, ended.credits_used) == ("ended", 0, Decimal(0))
    with pytest.raises(SessionEnded):
        client.pause_session(session.id)


def test_a_gesture_is_played_and_an_unknown_one_is_refused_with_those_there_are(client: Client) -> None:
    session = client.create_session(avatar="gestura")
    begun = client.gesture(session.id, "bow")
    assert (begun.gesture, begun.duration_ms, begun.holds) == ("bow", 900, False)
    with pytest.raises(InvalidRequest) as unknown:
        client.gesture(session.id, "curtsy")
    assert (unknown.value.code, unknown.value.body["known"]) == ("unknown_gesture", ["bow"])
    assert client.stop_session(session.id).frames == 0
    with pytest.raises(SessionEnded):
        client.gesture(session.id, "bow")


def test_settings_come_from_the_environment(node: Node, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTLIGHT_URL", node.url + "/")
    monkeypatch.setenv("FOOTLIGHT_API_SECRET", account.api_secret)
    with Client() as client:
        assert client.me().id == account.id


def test_what_stands_about_the_account_is_read(client: Client, account: Account) -> None:
    me, summary = client.me(), client.credits()
    assert (me.id, me.plan, me.max_sessions) == (account.id, "creator", 5)
    assert (summary.balance, summary.is_enterprise) == (Decimal(1800), False)
    assert summary.minutes_estimate["essence_cloud"] == 900
    prices = {price.product: price for price in client.pricing().products}
    assert prices["essence_cloud"].rate_credits_per_minute == 2
    assert prices["expression_on_device"].counting == "connected"
    assert {"ada", "miles"} <= {avatar.name for avatar in client.avatars()}
    kinds = [entry.kind for entry in client.journal(page_size=1)]
    assert kinds[:2] == ["plan_set", "granted"], "pages follow each other"


def test_lists_go_over_pages(client: Client) -> None:
    created = [client.create_session().id for _ in range(3)]
    assert sorted(session.id for session in client.list_sessions(page_size=1)) == sorted(created)
    client.stop_session(created[0])
    assert [session.id for session in client.list_sessions(state="ended")] == created[:1]


def test_refusals_are_exceptions(node: Node, client: Client) -> None:
    with pytest.raises(InvalidRequest) as invalid:
        client.create_session(fps=24)
    assert (invalid.value.code, invalid.value.errors[0].pointer) == ("invalid_field", "/fps")
    with pytest.raises(InvalidRequest) as unknown:
        client.create_session(avatar="nobody")
    assert unknown.value.code == "unknown_avatar"
    with pytest.raises(NotFound):
        client.get_session("ses_00000000000000000000000000000000")
    with Client(node.url, "fl_live_nonsense") as stranger, pytest.raises(Unauthorized):
        stranger.me()
    with Client(node.url, node.account(plan="free").api_secret) as small:
        for _ in range(3):
            small.create_session()
        with pytest.raises(TooMany) as capped:
            small.create_session()
        assert capped.value.code == "too_many_sessions"
    with Client(node.url, node.account(credits="0.001").api_secret) as poor, pytest.raises(CreditsExhausted):
        poor.create_session()


def test_one_account_does_not_see_the_other(node: Node, client: Client) -> None:
    session = client.create_session()
    with Client(node.url, node.account().api_secret) as other:
        with pytest.raises(NotFound):
            other.get_session(session.id)
        with pytest.raises(NotFound):
            next(other.events(session.id))
        with pytest.raises(NotFound), other.stream(session.id):
            pass


def test_a_key_creates_once(client: Client) -> None:
    first = client.create_session(idempotency_key="order-1")
    assert client.create_session(idempotency_key="order-1").id == first.id
    assert len(list(client.list_sessions())) == 1
    with pytest.raises(InvalidRequest) as reused:
        client.create_session(avatar="miles", idempotency_key="order-1")
    assert reused.value.code == "idempotency_key_reused"


def test_a_create_whose_answer_is_lost_creates_once(node: Node, account: Account) -> None:
    faults: list[Fault] = ["lose", "lose"]
    with FaultProxy(node.url, lambda *_: faults.pop() if faults else "none") as proxy:
        with Client(proxy.address, account.api_secret) as client:
            session = client.create_session()
            assert [listed.id for listed in client.list_sessions()] == [session.id]
        assert proxy.requests[:3] == ["POST /v1/sessions"] * 3


def test_a_server_that_is_not_there_is_a_connection_that_failed() -> None:
    with Client("http://127.0.0.1:9", "fl_live_x", retries=0) as client:
        with pytest.raises(ConnectionFailed, match=r"GET /v1/me"):
            client.me()
        with pytest.raises(ConnectionFailed), client.stream("ses_1"):
            pass


@pytest.mark.parametrize("how", ["path", "bytes", "file"])
def test_speech_is_taken_as_path_bytes_or_file(client: Client, how: str) -> None:
    session = client.create_session()
    path = SPEECH / "hello.wav"
    if how == "file":
        with path.open("rb") as file:
            speech = client.speak(session.id, file)
    else:
        speech = client.speak(session.id, path if how == "path" else path.read_bytes())
    assert speech.duration_ms == pytest.approx(2420, abs=200)
    raw = client.speak(session.id, bytes(32_000), mode="replace", content_type="audio/pcm;rate=16000;channels=1")
    assert raw.duration_ms == 1000
    with pytest.raises(InvalidRequest) as unsupported:
        client.speak(session.id, b"this is no sound")
    assert unsupported.value.status in (415, 422)


def test_events_are_followed_to_the_end(client: Client) -> None:
    session = client.create_session()
    seen = []
    for event in client.events(session.id):
        seen.append(event)
        if event.state == "idle" and len(seen) <= 2:
            client.pause_session(session.id)
        elif event.state == "paused":
            client.stop_session(session.id)
    assert seen[-1].type == "ended"
    assert seen[-1].end_reason == "stopped"
    assert [event.sequence for event in seen] == sorted(event.sequence for event in seen)
    assert any(event.pause_reasons == ("by_request",) for event in seen)
    with pytest.raises(Conflict), client.stream(session.id):
        pass


def test_asyncio_does_the_same(node: Node, account: Account) -> None:
    async def use() -> None:
        async with AsyncClient(node.url, account.api_secret) as client:
            session = await client.create_session(metadata={"caller": "43"}, idempotency_key="order-2")
            assert (await client.create_session(metadata={"caller": "43"}, idempotency_key="order-2")).id == session.id
            assert (await client.pause_session(session.id)).state == "paused"
            assert (await client.resume_session(session.id)).pause_reasons == ()
            speech = await client.speak(session.id, SPEECH / "hello.wav")
            assert speech.duration_ms > 0
            assert (await client.interrupt(session.id)).generation >= 0
            events = client.events(session.id)
            assert (await events.__anext__()).type == "state"
            await client.stop_session(session.id)
            assert [event.type async for event in events][-1] == "ended"
            assert [listed.state async for listed in client.list_sessions()] == ["ended"]
            with pytest.raises(SessionEnded):
                await client.client_token(session.id)
            assert (await client.get_session(session.id)).end_reason == "stopped"
            assert (await client.credits()).balance == 1800
            assert (await client.me()).id == account.id
            assert len((await client.pricing()).plans) >= 5
            assert [entry.number async for entry in client.journal(page_size=1)][:2] == [0, 1]
            assert "ada" in [avatar.name async for avatar in client.avatars()]
            assert [usage async for usage in client.usage()] == []
            with pytest.raises(NotFound):
                await client.get_session("ses_nobody")

    asyncio.run(use())


def test_a_browser_gets_a_token_of_its_own(node: Node, client: Client) -> None:
    session = client.create_session()
    token = client.client_token(session.id, origin="https://example.org")
    assert token.expires_at > datetime.now(timezone.utc)
    with Client(node.url, token.token) as browser, pytest.raises((Unauthorized, Forbidden)):
        browser.credits()


def test_usage_is_asked_for_by_time(client: Client) -> None:
    now = datetime.now(timezone.utc)
    assert list(client.usage(since=now - timedelta(hours=2), until=now, product="essence_cloud")) == []
    with pytest.raises(InvalidRequest):
        list(client.usage(product="nothing_we_sell", session="?"))
    assert client.credits().balance == Decimal(1800)
