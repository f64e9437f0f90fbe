"""What needs no server: reading JSON, media, events and refusals."""

from __future__ import annotations

import struct
from decimal import Decimal

import httpx
import pytest

import footlight
from footlight import (
    Capacity,
    ConnectionFailed,
    CreditsExhausted,
    Event,
    InvalidRequest,
    MediaFlags,
    MediaKind,
    Problem,
    ServerFault,
    SessionEnded,
    UnexpectedAnswer,
    _calls,
    _http,
    _json,
)
from footlight._sse import EventParser
from footlight.errors import problem
from footlight.media import read_unit
from footlight.models import CreditSummary, Session

SESSION = """{"id": "ses_1", "state": "paused", "pause_reasons": ["debt", "a_new_one"], "product": "essence_cloud",
    "rate_credits_per_minute": 0.1, "created_at": "2026-11-25T17:30:27.920Z", "credits_used": 2, "avatar": null,
    "metadata": {"a": "b"}, "frames": 75, "a_new_member": {}}"""


def test_credits_are_decimals_and_unknown_members_are_kept_aside() -> None:
    session = _json.read(Session, _json.parse(SESSION))
    assert (session.rate_credits_per_minute, session.credits_used) == (Decimal("0.1"), Decimal(2))
    assert session.pause_reasons == ("debt", "a_new_one")
    assert session.avatar is None
    assert session.created_at.isoformat() == "2026-11-25T17:30:27.920000+00:00"
    assert session.raw["a_new_member"] == {}


@pytest.mark.parametrize("text", ["{}", "[]", '{"id": 7}', "null", "no JSON", SESSION.replace("75", '"75"')])
def test_what_is_no_session_is_named(text: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        _json.read(Session, _json.parse(text))


def test_nested_maps_are_read() -> None:
    text = """{"user_id": "u", "balance": 5240, "plan_credits": 5000, "topup_credits": 240, "is_enterprise": false,
        "minutes_estimate": {"voice_chat": 524}}"""
    assert _json.read(CreditSummary, _json.parse(text)).minutes_estimate == {"voice_chat": 524}


def test_a_unit_of_media_is_a_header_and_its_data() -> None:
    message = struct.pack(">BBHIIQI", 1, 0b1000_0101, 0, 3, 2**32 - 1, 2**40, 40_000) + b"\x00\x00\x00\x01\x67"
    unit = read_unit(message)
    assert unit is not None
    assert (unit.kind, unit.flags) == (MediaKind.VIDEO, MediaFlags.KEY_FRAME | MediaFlags.DISCONTINUITY)
    assert (unit.generation, unit.sequence, unit.pts_us, unit.duration_us) == (3, 2**32 - 1, 2**40, 40_000)
    assert (unit.is_key_frame, unit.is_idle, unit.is_discontinuity) == (True, False, True)
    assert unit.data == b"\x00\x00\x00\x01\x67"
    assert read_unit(b"\x09" + message[1:]) is None, "a kind of newer servers is skipped"
    assert read_unit(message[:23]) is None


def test_events_are_read_from_lines() -> None:
    parser = EventParser()
    lines = [": still here", "", "id: 1", "event: state", 'data: {"type":"state",', 'data: "state":"idle"}']
    assert [parser.line(line) for line in lines] == [None] * 6
    assert parser.line("") == Event(type="state", state="idle")
    assert parser.line("") is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (402, "credits_exhausted", CreditsExhausted),
        (503, "node_draining", Capacity),
        (409, "session_ended", SessionEnded),
        (422, "a_new_one", InvalidRequest),
        (500, "internal", ServerFault),
    ],
)
def test_a_refusal_has_a_class(status: int, code: str, kind: type[Problem]) -> None:
    error = problem(status, {"code": code, "detail": "why", "retry_after_s": 3, "known": ["ada"]})
    assert type(error) is kind
    assert (error.code, error.status, error.retry_after, error.body["known"]) == (code, status, 3, ["ada"])
    assert str(error) == f"why ({code})"


def test_a_refusal_by_something_in_between_is_a_problem_too() -> None:
    error = _http.refusal_of(502, b"<html>Bad Gateway</html>", "7")
    assert (type(error), error.code, error.retry_after) == (footlight.Unavailable, "unknown", 7.0)


def test_only_what_may_pass_is_tried_again() -> None:
    create, interrupt = _calls.create_session({}, None), _calls.interrupt("ses_1")
    away = problem(503, {"code": "store_unreachable"}, retry_after=2.0)
    lost = ConnectionFailed("lost")
    unopened = ConnectionFailed("nobody there")
    unopened.__cause__ = httpx.ConnectError("nobody there")

    retry = _http.Retry(2)
    pauses = [retry.pause(create, away), retry.pause(create, lost), retry.pause(create, lost)]
    assert pauses[0] == 2.0
    assert pauses[1] is not None
    assert pauses[1] < 2.0
    assert pauses[2] is None
    assert _http.Retry(2).pause(create, problem(503, {"code": "capacity"}, retry_after=1.0)) is None
    patient = problem(503, {"code": "session_moving"}, retry_after=30.0)
    assert _http.Retry(2).pause(create, patient) == 30.0
    patient.retry_after = 3600.0
    assert _http.Retry(2).pause(create, patient) is None, "nobody sleeps for an hour in a call"
    assert _http.Retry(2).pause(interrupt, lost) is None
    assert _http.Retry(2).pause(interrupt, unopened) is not None


def test_an_id_stays_in_its_place() -> None:
    assert _calls.get_session("../v1/me?x=").path == "/v1/sessions/..%2Fv1%2Fme%3Fx%3D"


def test_a_secret_is_needed() -> None:
    with pytest.raises(ValueError, match="FOOTLIGHT_API_SECRET"):
        footlight.Client("http://127.0.0.1:1")
