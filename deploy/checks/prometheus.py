"""Prometheus: configuration, rules, their tests, their runbooks."""

import yaml

from .docs import anchors

SEVERITIES = {"page", "ticket", "info"}


def check(deploy, options, report):
    folder = deploy / "prometheus"
    report.run("the configuration", ["promtool", "check", "config", str(folder / "prometheus.yaml")])
    report.run("the rules", ["promtool", "check", "rules", str(folder / "footlight.rules.yaml")])
    report.run("the rules' tests pass", ["promtool", "test", "rules", "footlight.rules.test.yaml"], cwd=folder)

    alerts = [rule for rule in rules(deploy) if "alert" in rule]
    headings = anchors(deploy.parent / "docs" / "operations.md")
    problems = []
    for alert in alerts:
        name, annotations = alert["alert"], alert.get("annotations", {})
        problems += [f"{name} has no {key}" for key in ("summary", "description", "runbook") if not annotations.get(key)]
        page, _, anchor = annotations.get("runbook", "").partition("#")
        if page != "docs/operations.md" or anchor != name.lower() or anchor not in headings:
            problems.append(f"{name}: {page} has no heading for #{anchor}")
        if alert.get("labels", {}).get("severity") not in SEVERITIES:
            problems.append(f"{name}: severity is none of {sorted(SEVERITIES)}")
    names = [alert["alert"] for alert in alerts]
    problems += [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
    orphans = {heading for heading in headings if heading.startswith("footlight") and heading not in {n.lower() for n in names}}
    problems += [f"docs/operations.md has a runbook for #{heading}, which is no alert" for heading in sorted(orphans)]
    report.all(f"{len(alerts)} alerts have a summary, a description and a runbook", problems)

    tests = (folder / "footlight.rules.test.yaml").read_text()
    report.all("every alert fires in a test", (f"{name} fires in no test" for name in names if f'"{name}"' not in tests and f" {name}\n" not in tests))


def rules(deploy):
    groups = yaml.safe_load((deploy / "prometheus" / "footlight.rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]
