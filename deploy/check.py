#!/usr/bin/env python3
"""Checks what is in deploy/, without a cluster, a container engine or the internet.

    python3 -m venv /tmp/check && /tmp/check/bin/pip install -r deploy/requirements.txt
    /tmp/check/bin/python deploy/check.py --metrics http://127.0.0.1:9090/metrics

Parts:
  kubernetes   manifests against Kubernetes' schemas (strict: unknown fields are errors), names that refer to each other,
               ports, selectors, how long a pod may take to end
  compose      compose.yaml against the compose specification, and the files it mounts
  prometheus   configuration, rules and their unit tests by promtool; runbooks; every alert is tested
  grafana      dashboards: their expressions by promtool, their layout, their data source
  metrics      every metric that rules, dashboards and the scaler name, with its labels, in a node's /metrics
  settings     every setting that deploy/ names, in config/default.toml
  container    the container file, and that nothing the build needs is ignored (its steps: container/check.sh)
  systemd      the unit, by systemd-analyze
  redis        redis.conf and the users of secrets.sh, on a redis-server of its own
  scripts      secrets.sh, and deletion_cost.py against a Kubernetes that is played
  docs         links and headings of deploy/ and docs/operations.md

What needs a tool that is not here is skipped, and said. Exit codes: 0 good; 1 something is wrong; 2 wrong usage;
3 with --no-skips, something was skipped.
"""

import argparse
import importlib
import pathlib
import sys

sys.dont_write_bytecode = True
DEPLOY = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(DEPLOY))

from checks.report import Report  # noqa: E402

PARTS = {
    "kubernetes": "checks.kubernetes",
    "compose": "checks.compose",
    "prometheus": "checks.prometheus",
    "grafana": "checks.grafana",
    "metrics": "checks.metrics",
    "settings": "checks.settings",
    "container": "checks.container",
    "systemd": "checks.systemd",
    "redis": "checks.redis",
    "scripts": "checks.scripts",
    "docs": "checks.docs",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="check these parts alone; all of them without")
    parser.add_argument(
        "--metrics", action="append", default=[], metavar="URL|FILE",
        help="a node's metrics page; may be given more than once. Without it names are looked for in the sources, and labels not",
    )
    parser.add_argument(
        "--crd", action="append", default=[], metavar="FILE",
        help="a CustomResourceDefinition to check custom resources against (KEDA's, the Prometheus operator's)",
    )
    parser.add_argument("--settings", metavar="FILE", help="the defaults to look settings up in, instead of config/default.toml")
    parser.add_argument("--no-skips", action="store_true", help="fail when a tool is missing")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are {', '.join(PARTS)}")
    return options


def main():
    options = arguments()
    report = Report()
    for part in options.parts or PARTS:
        with report.part(part):
            importlib.import_module(PARTS[part]).check(DEPLOY, options, report)
    return report.close(options.no_skips)


if __name__ == "__main__":
    sys.exit(main())
