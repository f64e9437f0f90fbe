"""An engine's usage on disk, so that a killed engine's next start can still report it.

One file a session. Its first line says what session it is; behind that stand the number of the last report and the
units counted, in one short write each time: a process that is killed leaves the old pair or the new one. Whoever meters
a session keeps its file locked, so that a file without a lock belongs to an engine that is gone.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("footlight")

_SUFFIX: Final = ".usage"
# The head is padded to this; the counters stand within one sector of any disk.
_HEAD_BYTES: Final = 2048
_COUNTERS: Final = "{:020d} {:020d}\n"
_COUNTERS_BYTES: Final = len(_COUNTERS.format(0, 0))

KEPT_S: Final = 25 * 3600
"""A session of which nobody takes a report any more is forgotten after this. The server takes late ones for a day."""


@dataclass(frozen=True)
class RecordHead:
    """Whose usage it is."""

    url: str
    session_id: str
    surface: str
    epoch: int


class UsageRecord:
    """The open, locked file of one session."""

    def __init__(self, path: Path, descriptor: int, head: RecordHead, number: int = 0, units: int = 0) -> None:
        self.head = head
        self.number = number
        """The number of the last report that may have been sent."""
        self.units = units
        """Units counted."""
        self._path = path
        self._descriptor = descriptor
        self._noted_at_ns = os.fstat(descriptor).st_mtime_ns

    @classmethod
    def create(cls, directory: Path, head: RecordHead) -> UsageRecord:
        """Begin the record of a session."""
        path = directory / f"{quote(head.session_id, safe='')}{_SUFFIX}"
        line = json.dumps(asdict(head)).encode()
        if len(line) >= _HEAD_BYTES:
            raise ValueError(f"the head of {path} is too long")
        # Under another name until it is whole and locked: others take what they find without a lock.
        draft = path.with_suffix(f".draft-{os.getpid()}")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor)
            os.write(descriptor, line.ljust(_HEAD_BYTES - 1) + b"\n" + _COUNTERS.format(0, 0).encode())
            os.fsync(descriptor)
            draft.rename(path)
            _sync_directory(directory)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, head)

    @classmethod
    def abandoned(cls, directory: Path) -> Iterator[UsageRecord]:
        """Open what engines that are gone have left, each locked by us."""
        for path in sorted(directory.glob(f"*{_SUFFIX}")):
            record = cls._adopt(path)
            if record:
                yield record

    @classmethod
    def _adopt(cls, path: Path) -> UsageRecord | None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            _lock(descriptor)
            # Somebody else may have settled and removed it between our two steps.
            os.stat(path)
            head, number, units = _read(descriptor)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        except (ValueError, TypeError) as error:
            os.close(descriptor)
            log.error("%s is no record of usage and stays unreported: %s", path, error)
            return None
        return cls(path, descriptor, head, number, units)

    def write(self, number: int, units: int) -> None:
        """Note how far it came. It survives the process at once, and the machine once `sync` is done."""
        if (number, units) != (self.number, self.units):
            self.number, self.units = number, units
            os.pwrite(self._descriptor, _COUNTERS.format(number, units).encode(), _HEAD_BYTES)

    def sync(self) -> None:
        """Wait until what was noted would survive the machine."""
        os.fsync(self._descriptor)

    def renumber(self, number: int) -> None:
        """Note that another report of what was found may have been sent; the usage is as old as before."""
        self.write(number, self.units)
        os.utime(self._descriptor, ns=(self._noted_at_ns, self._noted_at_ns))

    def is_forgotten(self) -> bool:
        """Whether what was found is so old that the server takes no report of it any more."""
        return time.time() - self._noted_at_ns / 1e9 > KEPT_S

    def close(self) -> None:
        """Leave it for the next start."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Forget it: everything is settled."""
        self._path.unlink(missing_ok=True)
        self.close()


def _read(descriptor: int) -> tuple[RecordHead, int, int]:
    content = os.pread(descriptor, _HEAD_BYTES + _COUNTERS_BYTES, 0)
    head = json.loads(content[:_HEAD_BYTES])
    number, units = content[_HEAD_BYTES:].split()
    return RecordHead(**head), int(number), int(units)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        raise OSError("metering needs the file locks of POSIX")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
