"""Redis' configuration and users, on a server of its own."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from .report import Skip

STARTS_WITHIN_S = 10


def check(deploy, options, report):
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        raise Skip("redis-server is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        subprocess.run([deploy / "secrets.sh", scratch / "secrets"], check=True, capture_output=True)
        environment = dict(line.split("=", 1) for line in (scratch / "secrets" / "footlight.env").read_text().splitlines())
        password = environment["FOOTLIGHT_STORE"].removeprefix("redis://footlight:").split("@")[0]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        # A container's paths are not there, and it would say so before it looks at flags.
        settings = (deploy / "kubernetes" / "redis" / "redis.conf").read_text()
        settings = settings.replace("dir /data", f"dir {scratch}").replace("/etc/redis/users.acl", f"{scratch}/secrets/users.acl")
        (scratch / "redis.conf").write_text(settings)
        command = ["redis-server", scratch / "redis.conf", "--port", port, "--bind", "127.0.0.1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
            try:
                asks(port, password, (scratch / "secrets" / "redis-operator").read_text(), server, report)
            finally:
                server.terminate()


def asks(port, password, operators, server, report):
    def ask(*words, user="footlight", secret=password):
        login = ["--user", user, "--pass", secret, "--no-auth-warning"] if user else []
        done = subprocess.run(["redis-cli", "-p", port, *login, *words], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    until = time.monotonic() + STARTS_WITHIN_S
    while ask("ping", user=None) != "PONG":
        if server.poll() is not None or time.monotonic() > until:
            server.terminate()
            report.bad(f"redis-server did not start:\n{server.stdout.read()}")
            return
        time.sleep(0.05)
    version = next(line for line in ask("info", "server").splitlines() if line.startswith("redis_version"))
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
    found = {key: ask("config", "get", key).removeprefix(key).strip() for key in wanted}
    report.all(f"redis.conf on {version}: every write is on disk, nothing is evicted", [] if found == wanted else [f"it says {found}"])

    allowed = [
        ("set", "fl:check", "1"), ("get", "fl:check"), ("eval", "return redis.call('incr', KEYS[1])", "1", "fl:check"),
        ("eval", "return redis.call('time')", "0"), ("publish", "fl:rises", "x"), ("script", "load", "return 1"),
        ("hset", "fl:{a}:t", "k", "v"), ("zadd", "fl:sessions", "0", "a"), ("xadd", "fl:{a}:e", "*", "k", "v"), ("unlink", "fl:check"),
        ("time",), ("info",), ("role",), ("pubsub", "numsub", "fl:rises"), ("wait", "0", "1"), ("scan", "0"), ("config", "get", "appendfsync"),
    ]
    denied = [
        ("flushall",), ("flushdb",), ("config", "set", "appendonly", "no"), ("keys", "*"), ("set", "others", "1"), ("get", "others"),
        ("eval", "return redis.call('get', 'others')", "0"), ("shutdown",), ("debug", "sleep", "0"), ("replicaof", "no", "one"),
        ("acl", "list"), ("client", "kill", "type", "normal"), ("save",), ("swapdb", "0", "1"), ("publish", "others", "x"),
        ("script", "flush"), ("function", "flush"), ("monitor",),
    ]
    refusals = ("NOPERM", "can't access at least one of the keys", "ACL", "not allowed")
    is_refusal = lambda answer: any(word in answer for word in refusals)  # noqa: E731
    problems = [f"a node may not {' '.join(words)}: {answer}" for words in allowed if is_refusal(answer := ask(*words)) or answer.startswith("ERR")]
    problems += [f"a node may {' '.join(words)}: {answer}" for words in denied if not is_refusal(answer := ask(*words))]
    problems += [f"anybody may {words}: {answer}" for words in ("get fl:check", "info") if not is_refusal(answer := ask(*words.split(), user=None))]
    if "NOPERM" in (answer := ask("config", "get", "save", user="operator", secret=operators)):
        problems.append(f"the operator may not look: {answer}")
    report.all(f"nodes may do {len(allowed)} things that they do, and none of {len(denied)} others", problems)
