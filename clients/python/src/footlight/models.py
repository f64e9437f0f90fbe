"""What the API answers, as values.

Credits are `Decimal`. Words such as states and reasons are plain strings, because newer servers may know more of them;
treat a pause reason that you do not know as paused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Session:
    """One session."""

    id: str
    state: str
    """`starting`, `running` (speaking), `idle`, `paused` or `ended`."""
    product: str
    """What it is sold as, for example `essence_cloud`."""
    rate_credits_per_minute: Decimal
    """What one active minute costs."""
    created_at: datetime
    pause_reasons: tuple[str, ...] = ()
    """Why it is held back; it runs only when this is empty."""
    end_reason: str | None = None
    ended_at: datetime | None = None
    model: str | None = None
    surface: str | None = None
    avatar: str | None = None
    fps: int | None = None
    width: int | None = None
    height: int | None = None
    active_ms: int = 0
    """Active time so far, in milliseconds."""
    frames: int = 0
    """Active frames so far: driven by submitted audio and handed out. Only these are billed."""
    stalls: int = 0
    """Frames for which live audio came too late; they are free."""
    credits_used: Decimal = Decimal(0)
    """What it has cost so far."""
    node: str | None = None
    background: str | None = None
    when_unwatched: str | None = None
    idle_timeout_s: int | None = None
    max_duration_s: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole answer."""


@dataclass(frozen=True)
class Token:
    """Stands for an API secret where the secret itself must not go, for a few minutes."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class Speech:
    """Speech that was taken."""

    utterance_id: str
    duration_ms: int


@dataclass(frozen=True)
class Interrupted:
    """What an interrupt cut off."""

    generation: int
    """Frames of older generations are not handed out any more."""
    position_ms: int
    """How far the utterance had come; 0 if nothing was being spoken."""
    utterance_id: str | None = None


@dataclass(frozen=True)
class GestureBegun:
    """A gesture that was taken. While the session is paused or nobody watches, nothing of it is played."""

    gesture: str
    duration_ms: int
    """How long it takes, without the time that it is held for."""
    holds: bool = False
    """Whether it holds its pose: until speech begins, an interrupt, another gesture, or for 30 seconds."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a session. The members beside `type` and `sequence` depend on the type."""

    type: str
    """`state`, `utterance_started`, `utterance_ended`, `gesture_started`, `credits_low`, `renderer_restarted`, `ended`,
    `missed`, …"""
    sequence: int = 0
    """Grows by one per event of the session; a gap means that events were missed."""
    at: datetime | None = None
    state: str | None = None
    pause_reasons: tuple[str, ...] = ()
    utterance_id: str | None = None
    position_ms: int | None = None
    interrupted: bool | None = None
    failed: str | None = None
    gesture: str | None = None
    remaining_ms: int | None = None
    attempt: int | None = None
    end_reason: str | None = None
    count: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole event."""


@dataclass(frozen=True)
class Avatar:
    """An avatar that sessions may ask for by name."""

    name: str
    title: str
    width: int
    height: int
    licence: str | None = None
    default: bool = False


@dataclass(frozen=True)
class CreditSummary:
    """The balance."""

    user_id: str
    balance: Decimal
    """Plan and top-up credits together; what running sessions have set aside is part of it."""
    plan_credits: Decimal
    topup_credits: Decimal
    is_enterprise: bool
    minutes_estimate: Mapping[str, int]
    """How many whole minutes the balance pays for, by product."""


@dataclass(frozen=True)
class Usage:
    """What one session used within one clock hour."""

    session_id: str
    product: str
    hour: datetime
    units: int
    """Active frames, or milliseconds for products that pay for connected time."""
    credits: Decimal
    debt: Decimal = Decimal(0)
    overage: Decimal = Decimal(0)
    late: bool = False
    open: bool = False
    """Whether it may still grow: the hour or the session is not over."""
    secret: str | None = None


@dataclass(frozen=True)
class JournalEntry:
    """One immutable entry of the account's journal."""

    number: int
    at: datetime
    kind: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole entry; its other members depend on the kind."""


@dataclass(frozen=True)
class ProductPrice:
    """What a minute of one product costs."""

    product: str
    rate_credits_per_minute: Decimal
    counting: str
    """`frames` (only active frames count) or `connected` (the time between start and stop)."""
    rounding: str
    model: str | None = None
    surface: str | None = None


@dataclass(frozen=True)
class PlanPrice:
    """A plan that can be subscribed to."""

    name: str
    credits: Decimal
    months: int
    max_sessions: int
    price_usd: int


@dataclass(frozen=True)
class Pricing:
    """The price list."""

    products: tuple[ProductPrice, ...]
    plans: tuple[PlanPrice, ...]


@dataclass(frozen=True)
class Me:
    """The account behind the secret."""

    id: str
    status: str
    max_sessions: int | None = None
    open_sessions: int | None = None
    secret: str | None = None
    plan: str | None = None
    plan_renews_at: datetime | None = None
    opened_at: datetime | None = None
    unmetered: bool = False
    """Whether the node meters nothing: for development alone."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole answer."""
