"""What an engine and the server say to each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from .. import _calls, _json
from .._calls import Call
from ..errors import UnexpectedAnswer
from ..models import Session, Token
from .clock import Report, Terms, Verdict


@dataclass(frozen=True)
class Begun:
    """A session that begins."""

    session: Session
    terms: Terms
    token: Token | None
    """Bound to the session; none if this answer is a repeat, which shows no secret."""


@dataclass(frozen=True)
class Heartbeat:
    """The answer to a report, as it comes."""

    verdict: str
    slice_end: int
    settled_units: int
    credits_used: Decimal
    grace_units: int = 0
    pause_reasons: tuple[str, ...] = ()
    end_reason: str | None = None
    late: bool = False
    others_wait: bool = False
    heartbeat_ms: int | None = None
    retry_ms: int | None = None
    token: Token | None = None

    def for_clock(self) -> Verdict:
        """What the clock has to know of it."""
        return Verdict(
            verdict=self.verdict,
            slice_end=self.slice_end,
            settled_units=self.settled_units,
            grace_units=self.grace_units,
            pause_reasons=self.pause_reasons,
            end_reason=self.end_reason,
            others_wait=self.others_wait,
            heartbeat_s=_seconds(self.heartbeat_ms),
            retry_s=_seconds(self.retry_ms),
        )


@dataclass(frozen=True)
class _Engine:
    epoch: int
    heartbeat_ms: int
    grace_ms: int
    counting: str
    token: Token | None = None


def surface_of(product: str) -> str:
    """Where the frames of a product are made."""
    return next((surface for surface in ("self_hosted", "on_device") if product.endswith(f"_{surface}")), "managed")


def runtime_token(api_secret: str, surface: str, session_id: str | None = None) -> Call[Token]:
    """Turn an API secret into a token, which begins sessions, or reports for the one that it is bound to."""
    body = {"surface": surface} if session_id is None else {"surface": surface, "session": session_id}
    return _post("/v1/runtime-tokens", {"api-secret": api_secret}, body, partial(_json.read, Token))


def begin(token: Token, order: Mapping[str, Any]) -> Call[Begun]:
    """Begin a session."""
    call = _calls.create_session(order, None)
    return Call(call.method, call.path, _begun, headers={**call.headers, **_bearer(token)}, content=call.content)


def heartbeat(token: Token, session_id: str, report: Report) -> Call[Heartbeat]:
    """Report usage and ask for more."""
    body = asdict(report)
    body["request_number"] = body.pop("number")
    return _post(_calls.session_path(session_id, "heartbeats"), _bearer(token), body, partial(_json.read, Heartbeat))


def _begun(answer: Any) -> Begun:
    session = _json.read(Session, answer)
    engine = _json.read(_Engine, answer.get("engine"))
    if engine.heartbeat_ms <= 0:
        raise UnexpectedAnswer("a heartbeat should take some time")
    terms = Terms(
        epoch=engine.epoch,
        heartbeat_s=engine.heartbeat_ms / 1000,
        grace_s=engine.grace_ms / 1000,
        connected=engine.counting == "connected",
    )
    return Begun(session, terms, engine.token)


def _post(path: str, headers: Mapping[str, str], body: Mapping[str, Any], read: Any) -> Call[Any]:
    headers = {"content-type": "application/json", **headers}
    return Call("POST", path, read, headers=headers, content=json.dumps(body).encode())


def _bearer(token: Token) -> dict[str, str]:
    return {"authorization": f"Bearer {token.token}"}


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
