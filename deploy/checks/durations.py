"""Durations as settings, systemd and compose write them."""

import re

UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600}


def seconds(text):
    parts = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s|min|m|h)?", str(text).strip())
    if not parts:
        raise ValueError(f"{text} is no duration")
    return float(parts[1]) * UNITS[parts[2] or "s"]
