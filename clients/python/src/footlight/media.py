"""The units of media that a session's stream carries: a header of 24 bytes, and what a decoder takes as it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

_HEADER = struct.Struct(">BBHIIQI")

HEADER_BYTES = _HEADER.size


class MediaKind(IntEnum):
    """What a unit is."""

    VIDEO = 1
    """One H.264 access unit (Annex-B)."""
    AUDIO = 2
    """One Opus packet: 20 ms, 48 kHz, mono."""


class MediaFlags(IntFlag):
    """What is special about a unit."""

    NONE = 0
    KEY_FRAME = 1
    """Decoding can start here."""
    IDLE = 2
    """Nobody speaks; not billed. It need not be shown, but must be decoded."""
    DISCONTINUITY = 4
    """Something was left out before this unit."""


@dataclass(frozen=True)
class MediaUnit:
    """One frame of video, or one packet of audio."""

    kind: MediaKind
    flags: MediaFlags
    generation: int
    """Counts interrupts of the session: throw away queued units of an older one."""
    sequence: int
    """Counts the units of this kind on this connection, and wraps at 2**32."""
    pts_us: int
    """When to show or play it, on the session's media clock, in microseconds."""
    duration_us: int
    data: bytes

    @property
    def is_key_frame(self) -> bool:
        """Whether decoding can start here."""
        return MediaFlags.KEY_FRAME in self.flags

    @property
    def is_idle(self) -> bool:
        """Whether nobody speaks; such units are not billed."""
        return MediaFlags.IDLE in self.flags

    @property
    def is_discontinuity(self) -> bool:
        """Whether something was left out before this unit."""
        return MediaFlags.DISCONTINUITY in self.flags


def read_unit(message: bytes) -> MediaUnit | None:
    """Read a binary message; none for kinds that only newer servers send, and for what is no unit at all."""
    if len(message) < HEADER_BYTES:
        return None
    kind, flags, _reserved, generation, sequence, pts, duration = _HEADER.unpack_from(message)
    if kind not in (MediaKind.VIDEO, MediaKind.AUDIO):
        return None
    known = MediaFlags(flags & 7)
    return MediaUnit(MediaKind(kind), known, generation, sequence, pts, duration, message[HEADER_BYTES:])
