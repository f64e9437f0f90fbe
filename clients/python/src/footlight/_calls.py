"""Every call of the API, as a value: what to send, and how to read the answer.

`Client` and `AsyncClient` differ only in how they carry these there and back.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Generic, Literal, TypeVar
from urllib.parse import quote

from . import _json, models
from .errors import UnexpectedAnswer

T = TypeVar("T")

Audio = bytes | str | Path | BinaryIO
"""The bytes of an audio file, its path, or an open file."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and what its answer means."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = True
    """Whether sending it twice does it once."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list."""

    entries: tuple[T, ...]
    next_cursor: str | None


def create_session(order: Mapping[str, Any], idempotency_key: str | None) -> Call[models.Session]:
    """Create a session."""
    headers = {"content-type": "application/json", **_once(idempotency_key)}
    body = json.dumps(_given(order)).encode()
    return Call("POST", "/v1/sessions", partial(_json.read, models.Session), headers=headers, content=body)


def get_session(session_id: str) -> Call[models.Session]:
    """Read a session."""
    return Call("GET", session_path(session_id), partial(_json.read, models.Session))


def list_sessions(state: str | None, limit: int | None, cursor: str | None) -> Call[Page[models.Session]]:
    """List sessions, one page."""
    return _page("/v1/sessions", models.Session, state=state, limit=limit, cursor=cursor)


def stop_session(session_id: str) -> Call[models.Session]:
    """End a session."""
    return Call("DELETE", session_path(session_id), partial(_json.read, models.Session))


def pause_session(session_id: str) -> Call[models.Session]:
    """Pause a session."""
    return Call("POST", session_path(session_id, "pause"), partial(_json.read, models.Session))


def resume_session(session_id: str) -> Call[models.Session]:
    """Take back a pause."""
    return Call("POST", session_path(session_id, "resume"), partial(_json.read, models.Session))


def interrupt(session_id: str) -> Call[models.Interrupted]:
    """Stop what is being said. A second one might cut off what was said after the first."""
    path = session_path(session_id, "interrupt")
    return Call("POST", path, partial(_json.read, models.Interrupted), repeatable=False)


def gesture(session_id: str, name: str) -> Call[models.GestureBegun]:
    """Play a gesture. A second one would begin it anew."""
    return Call(
        "POST",
        session_path(session_id, "gestures"),
        partial(_json.read, models.GestureBegun),
        headers={"content-type": "application/json"},
        content=json.dumps({"gesture": name}).encode(),
        repeatable=False,
    )


def speak(
    session_id: str,
    audio: Audio,
    mode: Literal["append", "replace"],
    content_type: str | None,
    idempotency_key: str | None,
) -> Call[models.Speech]:
    """Say an audio file."""
    return Call(
        "POST",
        session_path(session_id, "audio"),
        partial(_json.read, models.Speech),
        query={"mode": mode},
        headers={"content-type": content_type or "application/octet-stream", **_once(idempotency_key)},
        content=_bytes_of(audio),
    )


def client_token(session_id: str, origin: str | None) -> Call[models.Token]:
    """Make a token for a browser."""
    return Call(
        "POST",
        session_path(session_id, "client-tokens"),
        partial(_json.read, models.Token),
        headers={"content-type": "application/json"},
        content=json.dumps(_given({"origin": origin})).encode(),
    )


def credit_summary() -> Call[models.CreditSummary]:
    """Read the balance."""

    def read(answer: Any) -> models.CreditSummary:
        if not isinstance(answer, Mapping):
            raise UnexpectedAnswer("the balance should be an object")
        return _json.read(models.CreditSummary, answer.get("data"))

    return Call("GET", "/v2/credit-summaries", read)


def usage(
    since: datetime | None,
    until: datetime | None,
    session: str | None,
    product: str | None,
    limit: int | None,
    cursor: str | None,
) -> Call[Page[models.Usage]]:
    """List usage, one page."""
    query = {"from": _instant(since), "to": _instant(until), "session": session, "product": product}
    return _page("/v1/usage", models.Usage, **query, limit=limit, cursor=cursor)


def journal(limit: int | None, cursor: str | None) -> Call[Page[models.JournalEntry]]:
    """List the journal, one page."""
    return _page("/v1/journal", models.JournalEntry, limit=limit, cursor=cursor)


def avatars(limit: int | None, cursor: str | None) -> Call[Page[models.Avatar]]:
    """List avatars, one page."""
    return _page("/v1/avatars", models.Avatar, limit=limit, cursor=cursor)


def pricing() -> Call[models.Pricing]:
    """Read the price list."""
    return Call("GET", "/v1/pricing", partial(_json.read, models.Pricing))


def me() -> Call[models.Me]:
    """Read the account behind the secret."""
    return Call("GET", "/v1/me", partial(_json.read, models.Me))


def session_path(session_id: str, *rest: str) -> str:
    """Where a session lives. Its id is text from outside: it may not climb out of its place."""
    return "/".join(["/v1/sessions", quote(session_id, safe=""), *rest])


def _page(path: str, entry: type[T], **query: str | int | None) -> Call[Page[T]]:
    def read(answer: Any) -> Page[T]:
        if not isinstance(answer, Mapping) or not isinstance(answer.get("data"), list):
            raise UnexpectedAnswer(f"{path} should answer a page, and answered {answer!r:.100}")
        return Page(tuple(_json.read(entry, item) for item in answer["data"]), answer.get("next_cursor"))

    return Call("GET", path, read, query={key: str(value) for key, value in _given(query).items()})


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


def _once(idempotency_key: str | None) -> dict[str, str]:
    # Made here, with the call: every attempt at it carries the same key.
    return {"idempotency-key": idempotency_key or str(uuid.uuid4())}


def _instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bytes_of(audio: Audio) -> bytes:
    if isinstance(audio, bytes):
        return audio
    if isinstance(audio, (str, Path)):
        return Path(audio).read_bytes()
    return audio.read()
