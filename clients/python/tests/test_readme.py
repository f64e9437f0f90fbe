"""The README's code, run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import BINARY, PACKAGE, REPOSITORY, SLOW, Node

README = (PACKAGE / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
TOKEN = "choose-a-long-one"
NAMES = re.findall(r"This is `(\w+\.py)`:", README)


def test_its_programs_run(node: Node, tmp_path: Path) -> None:
    place = _checkout(tmp_path)
    environment = {**_environment(node), "FOOTLIGHT_API_SECRET": node.account(plan="free").api_secret}
    quickstart, engine, more = (_run([sys.executable, "-c", code], place, environment) for code in PYTHON)
    _check(quickstart, engine, place)
    assert more == "stopped\n"


@pytest.mark.skipif(not SLOW, reason="makes a virtual environment: FOOTLIGHT_SLOW_TESTS=1")
def test_a_new_user_gets_there_in_a_fresh_environment(node: Node, tmp_path: Path) -> None:
    place = _checkout(tmp_path)
    for name, code in zip(NAMES, PYTHON, strict=False):
        (place / name).write_text(code)
    setup, quickstart, engine, *_ = SHELL
    assert TOKEN in setup, "whoever follows it knows which token is meant"
    setup = setup.replace(TOKEN, node.admin_token)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "footlight").symlink_to(BINARY)
    environment = _environment(node)
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    script = f"set -eu\n{setup}\necho ---\n{quickstart}\necho ---\n{engine}"
    _, first, second = _run(["bash", "-c", script], place, environment).split("---\n")
    _check(first, second, place)


def _check(quickstart: str, engine: str, place: Path) -> None:
    # What the README promises is what it prints, but for the few frames by which an utterance may differ.
    for promised, printed in zip(SHELL[1:3], (quickstart, engine), strict=True):
        sentence = promised.partition("# ")[2]
        assert re.sub(r"[\d.]+", "N", sentence) == re.sub(r"[\d.]+", "N", printed)
    assert engine == "75 frames cost 0.05 credits\n"
    assert abs(int(quickstart.split()[0]) - 208) <= 2
    assert (place / "greeting.h264").stat().st_size > 10_000
    if shutil.which("ffprobe"):
        command = [
            "ffprobe",
            "-v",
            "error",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ]
        seen = _run([*command, "greeting.h264"], place, dict(os.environ))
        assert seen.split()[0].strip(",") == quickstart.split()[0]


def _checkout(directory: Path) -> Path:
    place = directory / "checkout"
    place.mkdir()
    for part in ("clients", "tests"):
        (place / part).symlink_to(REPOSITORY / part)
    return place


def _environment(node: Node) -> dict[str, str]:
    places = {"FOOTLIGHT_URL": node.url, "FOOTLIGHT_ADMIN_URL": node.admin_url}
    return {**os.environ, **places, "FOOTLIGHT_ADMIN_TOKEN": node.admin_token}


def _run(command: list[str], place: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
