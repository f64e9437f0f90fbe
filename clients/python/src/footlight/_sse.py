"""Server-sent events, as far as this API uses them."""

from __future__ import annotations

from . import _json
from .models import Event


class EventParser:
    """Takes the lines of an event stream and gives an event where one is complete."""

    def __init__(self) -> None:
        self._data: list[str] = []

    def line(self, line: str) -> Event | None:
        """Take one line, without its end."""
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif not line and self._data:
            text, self._data = "\n".join(self._data), []
            return _json.read(Event, _json.parse(text))
        return None
