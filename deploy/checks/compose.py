"""compose.yaml: the specification's schema, and what it mounts."""

import importlib.resources
import json
import tomllib

import jsonschema
import yaml

from .durations import seconds
from .kubernetes import TAIL_S


def check(deploy, options, report):
    file = deploy / "compose" / "compose.yaml"
    compose = yaml.safe_load(file.read_text())
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.validators.validator_for(schema := json.loads(vendored.read_text()))(schema)
    report.all("it fits the compose specification", (f"{e.json_path}: {e.message}" for e in validator.iter_errors(compose)))

    services, problems = compose["services"], []
    for name, service in services.items():
        sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
        for source in sources:
            if source.startswith("."):
                if not (file.parent / source).exists():
                    problems.append(f"{name} mounts {source}, which is not there")
            elif source not in compose["volumes"]:
                problems.append(f"{name} mounts the volume {source}, which is not declared")
        for secret in service.get("secrets", []):
            source = secret if isinstance(secret, str) else secret["source"]
            if source not in compose["secrets"]:
                problems.append(f"{name} takes the secret {source}, which is not declared")
        problems += [f"{name} joins {network}, which is not declared" for network in service.get("networks", []) if network not in compose["networks"]]
        problems += [f"{name} waits for {other}, which is no service" for other in service.get("depends_on", {}) if other not in services]
        if ":" not in service.get("image", "") and "build" not in service:
            problems.append(f"{name}'s image has no version")
        problems += [f"{name} publishes {port} on every address" for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
    report.all("mounts, secrets, networks and dependencies are there", problems)

    nodes = {name: service for name, service in services.items() if service.get("image") == "footlight"}
    problems = []
    for name, node in nodes.items():
        environment = node["environment"]
        if environment["FOOTLIGHT_NODE__NAME"] != name or environment["FOOTLIGHT_CLUSTER__ADDRESS"] != f"{name}:7080":
            problems.append(f"{name} says that it is {environment['FOOTLIGHT_NODE__NAME']} at {environment['FOOTLIGHT_CLUSTER__ADDRESS']}")
        if not node.get("read_only") or node.get("cap_drop") != ["ALL"]:
            problems.append(f"{name} may write into its root, or has rights")
        defaults = tomllib.loads((deploy.parent / "config" / "default.toml").read_text())
        if seconds(node["stop_grace_period"]) <= seconds(defaults["node"]["drain_deadline"]) + TAIL_S:
            problems.append(f"{name} is killed before its drain is over")
    report.all(f"{len(nodes)} nodes are who they say, confined, and may end in time", problems)

    prometheus = yaml.safe_load((deploy / "prometheus" / "prometheus.yaml").read_text())
    targets = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    wanted = [f"{name}:9090" for name in nodes]
    report.all("Prometheus scrapes each node", [] if targets == wanted else [f"Prometheus scrapes {targets}, the nodes are {wanted}"])
