"""What can go wrong, as exceptions.

Every refusal of the server is an RFC 9457 problem with a stable `code`. Each code that a program may want to act on
has a class; all others get the class of their HTTP status, so that the classes you know catch the codes of newer
servers too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class FootlightError(Exception):
    """The base of everything that this package raises on purpose."""


class ConnectionFailed(FootlightError):
    """The server could not be reached, did not answer in time, or went away in the middle."""


class UnexpectedAnswer(FootlightError):
    """The server's answer is not what this client understands."""


@dataclass(frozen=True)
class Fault:
    """A place in the request that is wrong."""

    pointer: str
    """A JSON pointer into the body, or the name of a query parameter or header."""
    detail: str


class Problem(FootlightError):
    """The server said no, and why."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        """The HTTP status."""
        self.code: str = str(body.get("code", "unknown"))
        """The stable name: match on this."""
        self.title: str = str(body.get("title", f"HTTP status {status}"))
        """What kind of problem it is."""
        self.detail: str = str(body.get("detail", self.title))
        """This occurrence, for people."""
        self.errors: Sequence[Fault] = tuple(
            Fault(str(fault.get("pointer", "")), str(fault.get("detail", ""))) for fault in body.get("errors") or ()
        )
        """The places in the request that are wrong."""
        self.retry_after: float | None = body.get("retry_after_s", retry_after)
        """When to try again, in seconds; none if the server did not say."""
        self.body: Mapping[str, Any] = body
        """The whole problem, with members that only some codes have."""
        super().__init__(f"{self.detail} ({self.code})")


class InvalidRequest(Problem):
    """The request cannot be right, whenever it is sent; `errors` points at the places (400, 413, 415, 422)."""


class Unauthorized(Problem):
    """The API secret or token is missing, unknown, expired or revoked (401)."""


class PaymentRequired(Problem):
    """Something has to be paid first (402)."""


class CreditsExhausted(PaymentRequired):
    """The balance does not pay for one second: top up."""


class InDebt(PaymentRequired):
    """The account owes credits; nothing starts until they are repaid."""


class Forbidden(Problem):
    """The account may not do this: it is suspended or closed (403)."""


class NotFound(Problem):
    """There is no such thing, or it belongs to another account (404)."""


class Conflict(Problem):
    """The state of things does not allow it (409)."""


class SessionEnded(Conflict):
    """The session is over; create a new one."""


class TooMany(Problem):
    """Too many sessions, streams, commands or requests; `retry_after` may say when there is room (429)."""


class Unavailable(Problem):
    """The node cannot do this now; `retry_after` says when to try again (502, 503, 504)."""


class Capacity(Unavailable):
    """The node is full, or is being emptied: try again after `retry_after` seconds, or on another node."""


class ServerFault(Problem):
    """A fault of the server's (500)."""


_BY_CODE: Mapping[str, type[Problem]] = {
    "capacity": Capacity,
    "credits_exhausted": CreditsExhausted,
    "debt": InDebt,
    "node_draining": Capacity,
    "session_ended": SessionEnded,
}

_BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooMany,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem(status: int, body: Mapping[str, Any], retry_after: float | None = None) -> Problem:
    """Make the exception of the class that fits a refusal best."""
    fallback = ServerFault if status >= 500 else InvalidRequest
    kind = _BY_CODE.get(str(body.get("code"))) or _BY_STATUS.get(status, fallback)
    return kind(status, body, retry_after)
