"""What carrying a call needs, without carrying it: addresses, headers, refusals, and when to try again."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any, Final

import httpx

from . import _json
from ._calls import Call, T
from ._version import __version__
from .errors import ConnectionFailed, FootlightError, Problem, UnexpectedAnswer, problem

USER_AGENT: Final = f"footlight-python/{__version__}"
DEFAULT_URL: Final = "http://127.0.0.1:8080"

_RETRY_FIRST_S: Final = 0.25
_RETRY_LAST_S: Final = 4.0
# Whoever asks for more than this is not worth waiting for inside of a call.
_ASKED_MAX_S: Final = 60.0
# Codes under which the next moment may be better; calls that must not be done twice are not repeated. `capacity` is not
# one of them: whether to wait or to go to another node is the caller's to say.
_PASSING_CODES: Final = frozenset({"store_unreachable", "session_moving", "idempotency_in_progress", "rate_limited"})


def url_of(url: str | None) -> str:
    """Where the server is: as given, or from the environment, or on this machine."""
    return (url or os.environ.get("FOOTLIGHT_URL") or DEFAULT_URL).rstrip("/")


def secret_of(api_secret: str | None) -> str:
    """The API secret: as given, or from the environment."""
    secret = api_secret or os.environ.get("FOOTLIGHT_API_SECRET")
    if not secret:
        raise ValueError("an API secret is needed: pass api_secret, or set FOOTLIGHT_API_SECRET")
    return secret


def request_of(call: Call[Any]) -> dict[str, Any]:
    """Say a call in httpx's words."""
    return {
        "method": call.method,
        "url": call.path,
        "params": call.query,
        "headers": call.headers,
        "content": call.content,
    }


def answer_of(call: Call[T], response: httpx.Response) -> T:
    """Read the answer to a call; a refusal is raised."""
    if response.is_success:
        return call.read(_json.parse(response.content))
    raise refusal_of(response.status_code, response.content, response.headers.get("retry-after"))


def refusal_of(status: int, content: bytes, retry_after: str | None) -> Problem:
    """Read a refusal, which is a problem unless something between us and the server answered."""
    body: Any = None
    with contextlib.suppress(UnexpectedAnswer):
        body = _json.parse(content)
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return problem(status, body if isinstance(body, dict) else {}, seconds)


def connection_failed(call: Call[Any], error: Exception) -> ConnectionFailed:
    """Name a failure of the transport, which says less than one would like."""
    reason = str(error) or type(error).__name__
    return ConnectionFailed(f"{call.method} {call.path}: {reason}")


class Retry:
    """Decides whether a call that failed is worth another attempt, and when."""

    def __init__(self, attempts: int) -> None:
        self._left = attempts
        self._pause = _RETRY_FIRST_S

    def pause(self, call: Call[Any], error: FootlightError) -> float | None:
        """How long to wait before the next attempt; none if there should not be one, or not before long."""
        if self._left <= 0 or not _may_pass(call, error):
            return None
        asked = float((error.retry_after if isinstance(error, Problem) else None) or 0)
        if asked > _ASKED_MAX_S:
            return None
        self._left -= 1
        pause, self._pause = self._pause, min(self._pause * 2, _RETRY_LAST_S)
        return max(asked, pause * random.uniform(0.5, 1.0))


def _may_pass(call: Call[Any], error: FootlightError) -> bool:
    if isinstance(error, Problem):
        is_passing = error.code in _PASSING_CODES or (error.code == "unknown" and error.status in (502, 503, 504))
        return is_passing and call.repeatable
    never_left = isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout))
    return isinstance(error, ConnectionFailed) and (call.repeatable or never_left)
