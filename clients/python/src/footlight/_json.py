"""From JSON to the dataclasses of `models`.

Members that a class does not know are ignored, and members that are missing or null take the field's default: a client
must not break when its server is a little newer or older.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Hashable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import UnexpectedAnswer

T = TypeVar("T")


def parse(text: str | bytes) -> Any:
    """Read JSON; numbers with decimals become `Decimal`, since a float turns a tenth into something else."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UnexpectedAnswer(f"the answer is not JSON: {error}") from error


def read(cls: type[T], data: object) -> T:
    """Make a `cls`, which is a dataclass, of a JSON object."""
    if not isinstance(data, Mapping):
        raise UnexpectedAnswer(f"a {cls.__name__} should be an object, and is {data!r:.100}")
    hints = _hints(cast(Hashable, cls))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name == "raw":
            values["raw"] = data
        elif data.get(field.name) is not None:
            values[field.name] = _value(hints[field.name], data[field.name], f"{cls.__name__}.{field.name}")
    try:
        return cls(**values)
    except TypeError as error:
        raise UnexpectedAnswer(f"a {cls.__name__} is incomplete: {error}") from None


@functools.cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cls)


def _value(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return data
    if origin in (Union, types.UnionType):
        return _value(next(part for part in arguments if part is not type(None)), data, where)
    if origin is tuple and isinstance(data, list):
        return tuple(_value(arguments[0], item, where) for item in data)
    if origin is not None and issubclass(origin, Mapping) and isinstance(data, dict):
        return {key: _value(arguments[1], item, where) for key, item in data.items()}
    if hint is Decimal and isinstance(data, (int, Decimal)):
        return Decimal(data)
    if hint is datetime and isinstance(data, str):
        return instant(data)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read(hint, data)
    if isinstance(hint, type) and isinstance(data, hint):
        return data
    raise UnexpectedAnswer(f"{where} should be {hint}, and is {data!r:.100}")


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise UnexpectedAnswer(f"{text!r:.100} is no instant") from error
