"""Writes the number of sessions on each pod into its deletion cost.

Kubernetes takes the pods with the lowest `controller.kubernetes.io/pod-deletion-cost` first when it scales a Deployment
down. Runs inside the cluster with the standard library alone. Exits 0 when every pod that answered has its cost, 1 when
Kubernetes did not let it write one. A node that does not answer keeps the cost it had.
"""

import concurrent.futures
import json
import os
import re
import ssl
import sys
import urllib.parse
import urllib.request

ACCOUNT = os.environ.get("ACCOUNT_DIR", "/var/run/secrets/kubernetes.io/serviceaccount")
ADMIN_PORT = int(os.environ.get("ADMIN_PORT", "9090"))
SELECTOR = "app.kubernetes.io/name=footlight,app.kubernetes.io/component=node"
COST = "controller.kubernetes.io/pod-deletion-cost"
# Kubernetes keeps it in 32 bits.
COST_MAX = 2**31 - 1
# Of one node, in seconds: all are asked at once, and the job has less than a minute.
ANSWER_WITHIN = 5
AT_ONCE = 32
SESSIONS = re.compile(r"^footlight_sessions\{[^}]*\} (\d+(?:\.\d+)?)$", re.MULTILINE)


class Kubernetes:
    """The few calls of its API that are needed here."""

    def __init__(self):
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        scheme = os.environ.get("KUBERNETES_SCHEME", "https")
        self.namespace = read("namespace")
        self.base = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/api/v1/namespaces/{self.namespace}/pods"
        self.context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt") if scheme == "https" else None

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("Authorization", f"Bearer {read('token')}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/merge-patch+json")
        with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:
            return json.load(answer)

    def running_pods(self):
        query = urllib.parse.urlencode({"labelSelector": SELECTOR, "fieldSelector": "status.phase=Running"})
        return [pod for pod in self.call("GET", f"?{query}")["items"] if "deletionTimestamp" not in pod["metadata"]]

    def write_cost(self, pod, cost):
        self.call("PATCH", f"/{pod}", {"metadata": {"annotations": {COST: str(cost)}}})


def read(name):
    with open(f"{ACCOUNT}/{name}", encoding="utf-8") as file:
        return file.read().strip()


def sessions_on(address):
    """The sessions of one node, or None when it does not say."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:{ADMIN_PORT}/metrics", timeout=ANSWER_WITHIN) as answer:
            counts = SESSIONS.findall(answer.read().decode())
    except OSError:
        return None
    return min(int(sum(map(float, counts))), COST_MAX) if counts else None


def main():
    kubernetes = Kubernetes()
    pods = kubernetes.running_pods()
    addresses = [os.environ.get("ADMIN_HOST") or pod["status"].get("podIP", "") for pod in pods]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        counts = list(pool.map(sessions_on, addresses))
    refused = 0
    for pod, count in zip(pods, counts, strict=True):
        name = pod["metadata"]["name"]
        former = pod["metadata"].get("annotations", {}).get(COST)
        if count is None:
            print(f"{name}: does not answer; its cost stays {former}")
        elif former != str(count):
            try:
                kubernetes.write_cost(name, count)
                print(f"{name}: {former} -> {count}")
            except OSError as error:
                refused += 1
                print(f"{name}: {error}", file=sys.stderr)
    print(f"{len(pods)} pods, {refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
