"""secrets.sh, and deletion_cost.py against a Kubernetes and nodes that are played here."""

import http.server
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import threading

PAGE = 'footlight_sessions{product="essence_cloud",state="idle"} %d\nfootlight_sessions{product="essence_cloud",state="running"} %d\n'
COST = "controller.kubernetes.io/pod-deletion-cost"


def check(deploy, options, report):
    for script in ("secrets.sh", "container/check.sh"):
        report.run(f"{script} is bash", ["bash", "-n", str(deploy / script)])
    with tempfile.TemporaryDirectory() as scratch:
        secrets(deploy, pathlib.Path(scratch), report)
        deletion_cost(deploy, pathlib.Path(scratch), report)


def secrets(deploy, scratch, report):
    folder, problems = scratch / "secrets", []
    first = subprocess.run([deploy / "secrets.sh", folder], capture_output=True, text=True)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    again = subprocess.run([deploy / "secrets.sh", folder], capture_output=True, text=True)
    if first.returncode or not again.returncode or before != {file.name: file.read_text() for file in folder.iterdir()}:
        problems.append(f"it ended with {first.returncode}, then {again.returncode}: {first.stderr}{again.stderr}")
    environment = dict(line.split("=", 1) for line in before["footlight.env"].splitlines())
    if not re.fullmatch(r"[0-9a-f]{64}", environment["FOOTLIGHT_TOKENS__KEY"]) or len(set(environment.values())) != len(environment):
        problems.append("the secrets are not what the settings take")
    if re.search(r"[0-9a-f]{64}", before["users.acl"].replace("#", "")) and environment["FOOTLIGHT_STORE"].split(":")[2][:64] in before["users.acl"]:
        problems.append("users.acl has a password in clear")
    if stat.S_IMODE((folder / "footlight.env").stat().st_mode) != 0o600 or stat.S_IMODE(folder.stat().st_mode) != 0o700:
        problems.append("others may read them")
    report.all("secrets.sh makes them once, for this user alone", problems)


class Played(http.server.BaseHTTPRequestHandler):
    """Kubernetes, and the nodes. A node is told from another by its port."""

    def do_GET(self):
        if self.path == "/metrics":
            counts = self.server.counts
            return self.answer(200, PAGE % counts) if counts else self.answer(503, "")
        self.server.asked.append(self.path)
        if self.headers["Authorization"] != "Bearer token":
            return self.answer(401, "{}")
        return self.answer(200, json.dumps({"items": self.server.pods}))

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.patched[self.path.rsplit("/", 1)[1]] = body["metadata"]["annotations"][COST]
        if self.headers["Content-Type"] != "application/merge-patch+json":
            return self.answer(415, "{}")
        return self.answer(403 if self.server.refuses else 200, "{}")

    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def play(address, port=0, **state):
    server = http.server.ThreadingHTTPServer((address, port), Played)
    vars(server).update({"counts": None, "pods": [], "asked": [], "patched": {}, "refuses": False} | state)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def deletion_cost(deploy, scratch, report):
    pod = lambda name, address, **more: {"metadata": {"name": name, **more}, "status": {"podIP": address}}  # noqa: E731
    full = play("127.0.1.1", counts=(7, 5))
    port = full.server_port
    empty = play("127.0.1.2", port, counts=(0, 0))
    unchanged = play("127.0.1.3", port, counts=(1, 2))
    api = play("127.0.0.1", pods=[
        pod("full", "127.0.1.1"), pod("empty", "127.0.1.2", annotations={COST: "9"}),
        pod("unchanged", "127.0.1.3", annotations={COST: "3"}), pod("away", "127.0.1.4", annotations={COST: "4"}),
        pod("going", "127.0.1.1", deletionTimestamp="now"),
    ])
    for name, text in (("namespace", "footlight"), ("token", "token"), ("ca.crt", "")):
        (scratch / name).write_text(text)
    environment = os.environ | {
        "ACCOUNT_DIR": str(scratch), "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.server_port),
        "KUBERNETES_SCHEME": "http", "ADMIN_PORT": str(port), "no_proxy": "*",
    }
    command = [sys.executable, "-I", str(deploy / "kubernetes" / "base" / "deletion-cost" / "deletion_cost.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    problems = []
    if done.returncode != 0 or api.patched != {"full": "12", "empty": "0"}:
        problems.append(f"deletion_cost.py ended with {done.returncode} and wrote {api.patched}:\n{done.stdout}{done.stderr}")
    if not api.asked or "/namespaces/footlight/pods?labelSelector=" not in api.asked[0]:
        problems.append(f"deletion_cost.py asked for {api.asked}")
    api.refuses = True
    if subprocess.run(command, env=environment, capture_output=True).returncode != 1:
        problems.append("deletion_cost.py does not say that it was refused")
    for server in (full, empty, unchanged, api):
        server.shutdown()
    report.all("deletion_cost.py writes what has changed, keeps what does not answer, and says when it is refused", problems)
