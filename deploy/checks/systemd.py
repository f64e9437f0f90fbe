"""The unit of systemd."""

import configparser
import pathlib
import shutil
import subprocess
import tempfile
import tomllib

from .durations import seconds
from .kubernetes import TAIL_S

# What `systemd-analyze security` may find at most, of 10.
EXPOSURE_MAX = 2.0


def check(deploy, options, report):
    folder = deploy / "systemd"
    alone = unit(folder / "footlight.service")
    cluster = unit(folder / "footlight.service.d" / "cluster.conf")
    drains = seconds(tomllib.loads((folder / "footlight.toml").read_text())["node"]["drain_deadline"])
    stop = cluster["ExecStop"].split()
    moves = seconds(stop[stop.index("--deadline") + 1])
    problems = []
    if seconds(alone["TimeoutStopSec"]) <= drains + TAIL_S:
        problems.append("a node is killed before its drain is over")
    if seconds(cluster["TimeoutStopSec"]) <= moves + drains + TAIL_S:
        problems.append("a node of a cluster is killed before it has moved its sessions and drained")
    report.all("a node may end in time", problems)

    if not shutil.which("systemd-analyze"):
        return report.skip("systemd-analyze is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        # It wants to see the binary: any will do.
        copy = pathlib.Path(scratch) / "footlight.service"
        copy.write_text((folder / "footlight.service").read_text().replace("/usr/local/bin/footlight", shutil.which("true")))
        drop_in = pathlib.Path(scratch) / "footlight.service.d"
        drop_in.mkdir()
        text = (folder / "footlight.service.d" / "cluster.conf").read_text()
        (drop_in / "cluster.conf").write_text(text.replace("/usr/local/bin/footlight", shutil.which("true")))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if "footlight" in line]
        report.all("systemd-analyze verify, with the cluster's drop-in", said)
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(copy)], capture_output=True, text=True
        )
    line = next((line for line in done.stdout.splitlines() if "Overall exposure" in line), "")
    exposure = next((float(word) for word in line.split() if word.replace(".", "").isdigit()), 10.0)
    report.all(f"systemd-analyze security: {exposure} of 10", [] if exposure <= EXPOSURE_MAX else [line or done.stderr])
    return None


def unit(file):
    parser = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(file.read_text())
    return parser["Service"]
