#!/usr/bin/env python3
"""Starts what compose.yaml describes as processes, without a container engine: as root, in a network of its own.

    deploy/compose/check.py PATH/TO/footlight

Redis with its configuration and users, three nodes with the environment of the container file and of compose, Prometheus
with its configuration and rules, under the host names that compose would give them. Then it opens sessions through each
node, and looks at Prometheus: all targets are up, all rules are evaluated, nothing fires, and every expression of the
dashboards is answered. Grafana itself is not started. All data is thrown away.

Needs PyYAML, redis-server, prometheus, unshare and ip. Exit codes: 0 good; 1 something is wrong; 2 wrong usage.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

sys.dont_write_bytecode = True
DEPLOY = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(DEPLOY))

from checks.grafana import asked, dashboards, substituted  # noqa: E402

INSIDE = "FOOTLIGHT_COMPOSE_CHECK_INSIDE"
# Containers share no loopback; here each has an address of it.
ADDRESSES = {"node-1": "127.0.1.1", "node-2": "127.0.1.2", "node-3": "127.0.1.3", "footlight-redis": "127.0.1.10", "prometheus": "127.0.1.20"}
STARTS_WITHIN_S = 60
# Rules need two scrapes and two evaluations, and `for` of the shortest alerts.
WATCHED_FOR_S = 45


class Wrong(Exception):
    pass


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        return 2
    binary = os.path.realpath(sys.argv[1])
    if INSIDE not in os.environ:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", sys.executable, __file__, binary]
        return subprocess.run(command, env=os.environ | {INSIDE: "1"}).returncode
    os.environ.pop(INSIDE)
    # Everything is here: no proxy has a way to it.
    os.environ["no_proxy"] = "*"
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        try:
            run(binary, pathlib.Path(scratch), stack)
        except Wrong as problem:
            print(f"WRONG: {problem}")
            for log in sorted(pathlib.Path(scratch).glob("*.log")):
                print(f"--- {log.name}", *log.read_text().splitlines()[-8:], sep="\n")
            return 1
    print("The parts of compose.yaml work together.")
    return 0


def run(binary, scratch, stack):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (scratch / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in ADDRESSES.items()))
    subprocess.run(["mount", "--bind", scratch / "hosts", "/etc/hosts"], check=True)
    subprocess.run([DEPLOY / "secrets.sh", scratch / "secrets"], check=True, stdout=subprocess.DEVNULL)
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    secrets = dict(line.split("=", 1) for line in (scratch / "secrets" / "footlight.env").read_text().splitlines())

    start_redis(scratch, stack)
    nodes = {name: service for name, service in compose["services"].items() if service.get("image") == "footlight"}
    shown = subprocess.run([binary, "config"], capture_output=True, text=True, cwd=scratch, env={"PATH": os.environ["PATH"]}).stdout
    in_cluster = "cluster.secret" in shown
    if not in_cluster:
        print("this binary knows no [cluster]: its nodes share the store and nothing else")
    running = {name: start_node(binary, name, service, secrets, in_cluster, scratch, stack) for name, service in nodes.items()}
    for name in nodes:
        wait(f"{name} is ready", lambda name=name: fetch(f"http://{name}:9090/readyz")["ready"])
    print(f"ready: {', '.join(nodes)}")
    use(list(nodes), secrets["FOOTLIGHT_ADMIN_TOKEN"], in_cluster)
    look(scratch, stack, len(nodes))
    for name, process in running.items():
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:
            raise Wrong(f"{name} ended with {process.returncode}")
    print("SIGTERM: all nodes ended with 0")


def start(command, name, scratch, stack, **how):
    log = stack.enter_context(open(scratch / f"{name}.log", "w"))
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **how)
    stack.callback(process.kill)
    return process


def start_redis(scratch, stack):
    settings = (DEPLOY / "kubernetes" / "redis" / "redis.conf").read_text()
    settings = settings.replace("dir /data", f"dir {scratch}").replace("/etc/redis/users.acl", f"{scratch}/secrets/users.acl")
    (scratch / "redis.conf").write_text(settings)
    start(["redis-server", scratch / "redis.conf", "--bind", ADDRESSES["footlight-redis"]], "redis", scratch, stack)
    # As compose's health check asks: without a password.
    ping = ["redis-cli", "-h", "footlight-redis", "ping"]
    wait("Redis answers", lambda: "PONG" in subprocess.run(ping, capture_output=True, text=True).stdout)


def start_node(binary, name, service, secrets, in_cluster, scratch, stack):
    image = re.search(r"^ENV ((?:.*\\\n)*.*)", (DEPLOY / "container" / "Containerfile").read_text().split("\nFROM ")[-1], re.MULTILINE)
    environment = dict(pair.split("=", 1) for pair in image[1].replace("\\\n", " ").split())
    for key, value in service["environment"].items():
        environment[key] = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: os.environ.get(found[1], found[2]), str(value))
    environment |= secrets
    # One loopback for all: each listens on its own address of it, where a container listens on all that it has.
    for key, value in environment.items():
        environment[key] = value.replace("0.0.0.0:", f"{ADDRESSES[name]}:")
    environment |= {"FOOTLIGHT_DATA_DIR": str(scratch / name), "PATH": os.environ["PATH"]}
    if not in_cluster:
        environment = {key: value for key, value in environment.items() if "_CLUSTER__" not in key}
    return start([binary, "serve"], name, scratch, stack, env=environment, cwd=scratch)


def use(nodes, token, in_cluster):
    """An account through one node, a session through each, and each session through every node."""
    operator = {"authorization": f"Bearer {token}"}
    account = fetch(f"http://{nodes[0]}:9090/admin/v1/accounts", {}, operator)
    fetch(f"http://{nodes[1]}:9090/admin/v1/accounts/{account['id']}/grants", {"kind": "top_up", "credits": 10}, operator | {"idempotency-key": "check"})
    customer = {"api-secret": account["api_secret"]}
    sessions = [fetch(f"http://{node}:8080/v1/sessions", {"avatar": "ada"}, customer) for node in nodes]
    for session in sessions:
        for node in nodes:
            seen = fetch(f"http://{node}:8080/v1/sessions/{session['id']}", headers=customer)
            if in_cluster and seen["node"] != session["node"]:
                raise Wrong(f"{node} says that {session['id']} is on {seen['node']}, not {session['node']}")
    print(f"sessions: {len(sessions)}, each seen through {len(nodes)} nodes; on {', '.join(sorted({s['node'] for s in sessions}))}")


def look(scratch, stack, count):
    command = ["prometheus", f"--config.file={DEPLOY / 'prometheus' / 'prometheus.yaml'}", f"--storage.tsdb.path={scratch / 'tsdb'}"]
    start([*command, f"--web.listen-address={ADDRESSES['prometheus']}:9090"], "prometheus", scratch, stack)
    wait("Prometheus sees all nodes", lambda: len(query('up{job="footlight"} == 1')) == count)
    time.sleep(WATCHED_FOR_S)
    groups = fetch("http://prometheus:9090/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    unwell = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]
    if unwell or not rules:
        raise Wrong(f"rules are not evaluated: {unwell}")
    firing = sorted({alert["metric"]["alertname"] for alert in query('ALERTS{alertstate="firing"}')})
    if firing:
        raise Wrong(f"nothing is wrong, and {', '.join(firing)} fire")
    empty = []
    for file, board in dashboards(DEPLOY).items():
        for title, expression in asked(board):
            if not query(substituted(expression)):
                empty.append(f"{file.stem}: {title}")
    asked_for = sum(len(list(asked(board))) for board in dashboards(DEPLOY).values())
    wanted = query("footlight:nodes_wanted")
    print(f"Prometheus: {len(rules)} rules evaluated, nothing fires; footlight:nodes_wanted is {wanted[0]['value'][1] if wanted else 'not there'}")
    print(f"dashboards: {asked_for} expressions answered, {asked_for - len(empty)} of them with figures")
    print("            without, as yet: " + "; ".join(empty))


def query(expression):
    answer = fetch("http://prometheus:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    return answer["data"]["result"]


def fetch(url, body=None, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Wrong(f"{url} answered {error.code}: {error.read().decode()}") from error


def wait(what, is_so):
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        with contextlib.suppress(OSError, Wrong):
            if is_so():
                return
        if time.monotonic() > until:
            raise Wrong(f"not within {STARTS_WITHIN_S} s: {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
