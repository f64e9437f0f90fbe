"""A real node for the tests, as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

PACKAGE = Path(__file__).resolve().parent.parent
REPOSITORY = PACKAGE.parent.parent
SPEECH = REPOSITORY / "tests" / "speech"

BINARY = Path(os.environ.get("FOOTLIGHT_BIN") or REPOSITORY / "target" / "release" / "footlight").resolve()
SLOW = os.environ.get("FOOTLIGHT_SLOW_TESTS") == "1"

# CI machines are slow: what is waited for comes within this, or never.
PATIENCE_S = 60.0


# Neither a developer's settings nor those of a machine reach the tests.
for _key in [key for key in os.environ if key.startswith("FOOTLIGHT_")]:
    del os.environ[_key]


@dataclass
class Account:
    id: str
    api_secret: str


class Node:
    """`footlight serve` on free ports, in a directory of its own."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self._directory = directory
        self._settings = settings
        self.admin_token = uuid.uuid4().hex
        listen, admin = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{listen}"
        self.admin_url = f"http://127.0.0.1:{admin}"
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = httpx.Client(
            base_url=self.admin_url, headers={"authorization": f"Bearer {self.admin_token}"}, timeout=30
        )

    def start(self) -> None:
        if not BINARY.exists():
            pytest.exit(f"there is no node at {BINARY}: build it, or name it in FOOTLIGHT_BIN", returncode=2)
        environment = {
            **os.environ,
            "FOOTLIGHT_LISTEN": self.url.removeprefix("http://"),
            "FOOTLIGHT_ADMIN_LISTEN": self.admin_url.removeprefix("http://"),
            "FOOTLIGHT_ADMIN_TOKEN": self.admin_token,
            "FOOTLIGHT_DATA_DIR": str(self._directory),
            # Not measured: a machine that is busy with other tests would find room for next to none.
            "FOOTLIGHT_NODE__SPEAKING_SLOTS": "100",
            **self._settings,
        }
        log = (self._directory.parent / f"{self._directory.name}.log").open("ab")
        self._process = subprocess.Popen([str(BINARY), "serve"], env=environment, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the node ended; its log is beside its directory"
            try:
                if self._admin.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the node did not become ready")

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        self._admin.close()

    def account(self, *, credits: str | None = None, plan: str | None = "creator") -> Account:
        """Open an account on a plan; with `credits`, one without a plan that has just these."""
        told = self.admin("POST", "/admin/v1/accounts", {} if credits else {"plan": plan})
        account = Account(told["id"], told["api_secret"])
        if credits:
            self.grant(account, credits)
        return account

    def grant(self, account: Account, credits: str) -> None:
        content = f'{{"kind": "top_up", "credits": {credits}}}'
        headers = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
        response = self._admin.post(f"/admin/v1/accounts/{account.id}/grants", content=content, headers=headers)
        assert response.is_success, response.text

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        response = self._admin.request(method, path, json=body)
        assert response.is_success, response.text
        return response.json()

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _add_gesturing_avatar(folder: Path) -> None:
    """The clapper as `gestura`, which can bow."""
    bow = {"name": "bow", "duration_ms": 900, "channels": {"head.pitch": [[0, 0], [400, -0.1], [900, 0]]}}
    assets = REPOSITORY / "crates" / "avatar" / "assets" / "clapper.zip"
    with zipfile.ZipFile(assets) as clapper, zipfile.ZipFile(folder / "gestura.zip", "w") as gestura:
        for name in clapper.namelist():
            content = clapper.read(name)
            if name == "manifest.json":
                content = json.dumps({**json.loads(content), "name": "gestura", "gestures": [bow]}).encode()
            gestura.writestr(name, content)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that all tests share; each opens an account of its own."""
    avatars = tmp_path_factory.mktemp("avatars")
    _add_gesturing_avatar(avatars)
    node = Node(tmp_path_factory.mktemp("node"), FOOTLIGHT_STAGE__AVATARS_DIR=str(avatars))
    node.start()
    yield node
    node.stop()


@pytest.fixture
def account(node: Node) -> Account:
    return node.account()


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    """Whatever hangs fails."""

    def bark(*_: object) -> None:
        raise AssertionError("the test took too long")

    former = signal.signal(signal.SIGALRM, bark)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


def _free_port() -> int:
    # Below those that the system gives to whoever connects: a node that was killed finds its own port free.
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
