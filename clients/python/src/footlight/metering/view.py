"""What both kinds of metered engine know and show."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from .. import _http
from ..models import Session
from .meter import FormerSession, Meter, is_unmetered, warn_unmetered

# How often somebody who waits looks again though nobody called: grace may have begun, or ended.
LOOK_AGAIN_S: Final = 0.05
# How often connected time is noted on disk.
NOTE_EVERY_S: Final = 0.25
# Sound alone is free, and needs no account.
FREE_PRODUCT: Final = "audio_only"


class EngineView:
    """An engine's session, as far as it can be looked at."""

    def __init__(
        self,
        url: str | None = None,
        api_secret: str | None = None,
        *,
        product: str,
        state_dir: str | Path,
        fps: int | None = None,
        avatar: str | None = None,
        metadata: Mapping[str, str] | None = None,
        close_timeout: float = 5.0,
    ) -> None:
        self._url = _http.url_of(url)
        self._close_timeout = close_timeout
        self._unmetered_units = 0
        self._meter: Meter | None = None
        if is_unmetered():
            warn_unmetered()
        elif product != FREE_PRODUCT:
            order = {"product": product, "fps": fps, "avatar": avatar, "metadata": metadata}
            self._meter = Meter(self._url, _http.secret_of(api_secret), order, Path(state_dir))

    @property
    def is_metered(self) -> bool:
        """Whether anything is metered at all."""
        return self._meter is not None

    @property
    def session(self) -> Session | None:
        """The session as it began; none while nothing is metered."""
        return self._meter.session if self._meter else None

    @property
    def units(self) -> int:
        """Units counted so far: frames, or milliseconds of connected time."""
        return self._meter.clock.used if self._meter else self._unmetered_units

    @property
    def credits_used(self) -> Decimal:
        """What the last answer said that the session has cost."""
        return self._meter.credits_used if self._meter else Decimal(0)

    @property
    def pause_reasons(self) -> tuple[str, ...]:
        """Why nothing may be made at the moment; empty if it may."""
        return self._meter.pause_reasons if self._meter else ()

    @property
    def end_reason(self) -> str | None:
        """Why the session is over; none until then."""
        return self._meter.clock.end_reason if self._meter else None

    @property
    def former(self) -> tuple[FormerSession, ...]:
        """Sessions that engines before this one did not end, and what became of them."""
        return self._meter.former if self._meter else ()
