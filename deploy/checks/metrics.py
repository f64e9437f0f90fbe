"""Every metric that rules, dashboards and the scaler name must be in a node's /metrics, with its labels."""

import pathlib
import re
import urllib.request

import yaml

from .grafana import asked, dashboards, substituted
from .prometheus import rules

NAME = re.compile(r"\bfootlight[a-z0-9_:]*")
SELECTOR = re.compile(r"\b(footlight[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
SAMPLE = re.compile(r'^(footlight[a-z0-9_]+)(?:\{([^}]*)\})? ', re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
# Prometheus' own.
TARGET_LABELS = {"job", "instance"}
PARTS = ("_bucket", "_sum", "_count")


def check(deploy, options, report):
    expressions = named(deploy)
    recorded = {rule["record"] for rule in rules(deploy) if "record" in rule}
    uses = {}
    for where, expression in expressions:
        for name in NAME.findall(re.sub(r'"[^"]*"', '""', expression)):
            uses.setdefault(name, set()).add(where)
    wanted = {name: where for name, where in uses.items() if ":" not in name}
    report.all(
        f"{len(uses) - len(wanted)} recorded names are recorded",
        (f"{name} is recorded by no rule ({', '.join(sorted(where))})" for name, where in uses.items() if ":" in name and name not in recorded),
    )
    pages = [fetch(place) for place in options.metrics]
    if not pages:
        known = in_sources(deploy.parent / "crates")
        missing = (f"{name} is in no source ({', '.join(sorted(where))})" for name, where in sorted(wanted.items()) if family(name) not in known)
        report.all(f"{len(wanted)} metrics are in the sources", missing)
        report.skip("labels: give a node's page with --metrics")
        return
    series = [(name, dict(LABEL.findall(labels))) for page in pages for name, labels in SAMPLE.findall(page)]
    names = {name for name, _ in series}
    missing = (f"{name} is on no page ({', '.join(sorted(where))})" for name, where in sorted(wanted.items()) if name not in names)
    report.all(f"{len(wanted)} metrics are on {' and '.join(options.metrics)}", missing)
    report.all("their labels and values are, too", sorted(set(unmatched(expressions, series, names))))
    unused = sorted({family(name) for name in names} - {family(name) for name in wanted})
    if unused:
        print(f"           no rule or dashboard shows {', '.join(unused)}")


def named(deploy):
    """Where, and what is asked there."""
    found = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules(deploy)]
    for file, board in dashboards(deploy).items():
        found += [(f"{file.stem}: {title}", substituted(expression)) for title, expression in asked(board)]
        found += [(f"{file.stem}: ${v['name']}", substituted(v["definition"])) for v in board["templating"]["list"] if "definition" in v]
    scaled = yaml.safe_load((deploy / "kubernetes" / "components" / "keda" / "scaledobject.yaml").read_text())
    found += [("the scaler", trigger["metadata"]["query"]) for trigger in scaled["spec"]["triggers"]]
    return found


def family(name):
    for part in PARTS:
        name = name.removesuffix(part)
    return name


def in_sources(crates):
    return {name for file in crates.rglob("*.rs") for name in re.findall(r'"(footlight_[a-z0-9_]+)"', file.read_text())}


def fetch(place):
    if place.startswith(("http://", "https://")):
        with urllib.request.urlopen(place, timeout=10) as answer:
            return answer.read().decode()
    return pathlib.Path(place).read_text()


def unmatched(expressions, series, names):
    """Selectors that no series on the page answers. Every series is there from a node's start, at 0."""
    for where, expression in expressions:
        for name, text in SELECTOR.findall(expression):
            if name not in names:
                continue
            matchers = [m for m in MATCHER.findall(text) if m[0] not in TARGET_LABELS]
            if not any(have == name and all(matches(labels, *m) for m in matchers) for have, labels in series):
                yield f"{where}: no series is {name}{{{text}}}"


def matches(labels, label, operator, value):
    have = labels.get(label, "")
    return {
        "=": have == value,
        "!=": have != value and label in labels,
        "=~": bool(re.fullmatch(value, have)),
        "!~": not re.fullmatch(value, have),
    }[operator]
