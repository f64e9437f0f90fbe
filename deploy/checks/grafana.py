"""Grafana: dashboards and what provisions them."""

import json
import pathlib
import re
import tempfile

import yaml

VARIABLES = {"$__rate_interval": "1m", "$job": "footlight", "$instance": ".+"}


def check(deploy, options, report):
    boards = dashboards(deploy)
    problems, expressions = [], []
    for file, board in boards.items():
        who = file.name
        if board["uid"] != file.stem or not board["title"].startswith("Footlight / "):
            problems.append(f"{who}: uid and title are {board['uid']} and {board['title']}")
        ids = [panel["id"] for panel in board["panels"]]
        problems += [f"{who}: the id {ident} is there twice" for ident in set(ids) if ids.count(ident) > 1]
        problems += [f"{who}: {a} lies over {b}" for a, b in overlaps(board["panels"])]
        for panel in (panel for panel in board["panels"] if panel["type"] != "row"):
            if not panel.get("targets"):
                problems.append(f"{who}: {panel['title']} asks nothing")
            for target in panel["targets"]:
                if target["datasource"].get("uid") != "${datasource}":
                    problems.append(f"{who}: {panel['title']} asks a data source of its own")
        for title, expression in asked(board):
            expressions.append(expression)
            unknown = set(re.findall(r"\$\w+", expression)) - VARIABLES.keys()
            problems += [f"{who}: {title} uses {name}" for name in sorted(unknown)]
    report.all(f"{len(boards)} dashboards with {len(expressions)} expressions are whole", problems)

    # promtool has no command for an expression alone: as recording rules they are all parsed at once.
    written = [{"record": f"checked:{at}", "expr": substituted(text)} for at, text in enumerate(expressions)]
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "expressions.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": written}]}))
        report.run("their expressions are PromQL", ["promtool", "check", "rules", str(file)])

    folder = deploy / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards" / "footlight.yaml").read_text())["providers"]
    compose = yaml.safe_load((deploy / "compose" / "compose.yaml").read_text())
    mounted = {volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]}
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    problems = []
    if provider["options"]["path"] not in mounted:
        problems.append(f"dashboards are looked for in {provider['options']['path']}, where compose mounts nothing")
    if source["type"] != "prometheus" or source["url"] != "http://prometheus:9090":
        problems.append(f"the data source is {source}")
    report.all("they are provisioned", problems)


def dashboards(deploy):
    return {file: json.loads(file.read_text()) for file in sorted((deploy / "grafana" / "dashboards").glob("*.json"))}


def asked(board):
    """Title and expression of everything that a dashboard asks Prometheus."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]


def substituted(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def overlaps(panels):
    def cells(panel):
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    taken = {}
    for panel in panels:
        for cell in cells(panel):
            if cell in taken:
                yield panel["title"], taken[cell]
                break
            taken[cell] = panel["title"]
