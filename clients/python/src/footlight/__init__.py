"""Footlight: real-time talking-avatar sessions, charged to the frame.

`Client` and `AsyncClient` speak the API; `client.stream` carries a session's audio and video; `MeteredEngine` and
`AsyncMeteredEngine` meter an engine of your own.
"""

from ._version import __version__
from .async_client import AsyncClient
from .client import Client
from .errors import (
    Capacity,
    Conflict,
    ConnectionFailed,
    CreditsExhausted,
    Fault,
    FootlightError,
    Forbidden,
    InDebt,
    InvalidRequest,
    NotFound,
    PaymentRequired,
    Problem,
    ServerFault,
    SessionEnded,
    TooMany,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from .media import MediaFlags, MediaKind, MediaUnit
from .metering.async_engine import AsyncMeteredEngine
from .metering.engine import MeteredEngine
from .metering.meter import FormerSession
from .models import (
    Avatar,
    CreditSummary,
    Event,
    GestureBegun,
    Interrupted,
    JournalEntry,
    Me,
    PlanPrice,
    Pricing,
    ProductPrice,
    Session,
    Speech,
    Token,
    Usage,
)
from .stream import Answer, AsyncSessionStream, Message, SessionStream

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncMeteredEngine",
    "AsyncSessionStream",
    "Avatar",
    "Capacity",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CreditSummary",
    "CreditsExhausted",
    "Event",
    "Fault",
    "FootlightError",
    "Forbidden",
    "FormerSession",
    "GestureBegun",
    "InDebt",
    "Interrupted",
    "InvalidRequest",
    "JournalEntry",
    "Me",
    "MediaFlags",
    "MediaKind",
    "MediaUnit",
    "Message",
    "MeteredEngine",
    "NotFound",
    "PaymentRequired",
    "PlanPrice",
    "Pricing",
    "Problem",
    "ProductPrice",
    "ServerFault",
    "Session",
    "SessionEnded",
    "SessionStream",
    "Speech",
    "Token",
    "TooMany",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Usage",
    "__version__",
]
