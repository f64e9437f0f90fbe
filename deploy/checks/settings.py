"""Every setting that deploy/ and the guide name must be one."""

import pathlib
import re
import tomllib

VARIABLE = re.compile(r"\bFOOTLIGHT_[A-Z0-9_]+\b")
# The clients', the command line's and the tests' own.
OTHERS = {"FOOTLIGHT_API_SECRET", "FOOTLIGHT_URL", "FOOTLIGHT_ADMIN_URL", "FOOTLIGHT_MIGRATE_FROM", "FOOTLIGHT_MIGRATE_TO"}
# Tables whose keys are whatever one calls them.
OPEN = ("admin_tokens.", "plans.", "rate_card.", "jobs.prices.", "cluster.labels.")


def check(deploy, options, report):
    defaults = pathlib.Path(options.settings) if options.settings else deploy.parent / "config" / "default.toml"
    known = set(flat(tomllib.loads(defaults.read_text())))
    problems, count = [], 0
    files = [file for file in deploy.rglob("*") if file.is_file() and "checks" not in file.parts and file.name != "check.py"]
    for file in [*files, deploy.parent / "docs" / "operations.md"]:
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        where, text = file.relative_to(deploy.parent), file.read_text()
        keys = {name: name.removeprefix("FOOTLIGHT_").lower().replace("__", ".") for name in VARIABLE.findall(text) if name not in OTHERS}
        if file.name in ("footlight.toml", "secrets.toml.example"):
            # Those that are commented out are settings as well.
            uncommented = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
            keys |= {key: key for key in flat(tomllib.loads(uncommented))}
        count += len(keys)
        problems += [f"{where}: {name} is no setting" for name, key in sorted(keys.items()) if not is_known(key, known)]
    report.all(f"{count} mentions of settings are settings", problems)


def is_known(key, known):
    return key in known or key.startswith(OPEN) or any(have.startswith(f"{key}.") for have in known)


def flat(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
