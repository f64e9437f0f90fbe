"""Kubernetes' manifests: schemas, and what must fit together."""

import pathlib
import shutil
import subprocess
import tempfile
import tomllib

import kubernetes_validate
import yaml

from .durations import seconds
from .report import Skip

CUSTOM = ("keda.sh/", "monitoring.coreos.com/")
KUSTOMIZE = "kustomize.config.k8s.io/"
WORKLOADS = ("Deployment", "StatefulSet", "CronJob")
# What a node may take after its drain's deadline: settling 10 s, webhooks 3 s, connections
# 2 s for each of three listeners, and 5 s in which sessions that found no room are left to heirs.
TAIL_S = 24
# The oldest that is promised: a disruption budget's unhealthyPodEvictionPolicy is on by default from here.
OLDEST = (1, 27)


def check(deploy, options, report):
    folder = deploy / "kubernetes"
    overlay = folder / "overlays" / "production"
    loaded = Loader().load(overlay)
    report.ok(f"{len(loaded.resources)} resources in {len(loaded.files)} files, from {overlay.relative_to(deploy)}")
    unused = {file for file in folder.rglob("*.yaml") if file not in loaded.files}
    report.all("every file belongs to it", (f"{file.relative_to(deploy)} is in no kustomization" for file in sorted(unused)))
    report.all("every file that it names is there", loaded.missing)

    crds = [read(file) for file in map(pathlib.Path, options.crd)]
    schemas(loaded.resources, [crd for documents in crds for crd in documents], "as written", report)
    rendered = kustomized(folder, report)
    if rendered:
        schemas(rendered, [], "as kubectl renders them", report)
    restricted(rendered or loaded.resources, report)
    fits(rendered or loaded.resources, loaded, report)
    timing(loaded.resources, folder, report)


class Loader:
    """Reads what a kustomization leads to. It renders nothing: resources are as they are written."""

    def __init__(self):
        self.resources, self.files, self.missing, self.generated = [], set(), [], {"ConfigMap": set(), "Secret": set()}

    def load(self, folder):
        file = folder / "kustomization.yaml"
        self.files.add(file)
        (kustomization,) = read(file)
        for entry in kustomization.get("resources", []) + kustomization.get("components", []):
            path = (folder / entry).resolve()
            if path.is_dir():
                self.load(path)
            elif path.is_file():
                self.files.add(path)
                self.resources += read(path)
            else:
                self.missing.append(f"{file}: {entry} is not there")
        for kind, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
            for generator in kustomization.get(key, []):
                self.generated[kind].add(generator["name"])
                for name in generator.get("files", []) + generator.get("envs", []):
                    path = folder / name.rpartition("=")[2]
                    if not path.is_file() and not pathlib.Path(f"{path}.example").is_file():
                        self.missing.append(f"{file}: neither {name} nor {name}.example is there")
        return self


def read(file):
    return [document for document in yaml.safe_load_all(pathlib.Path(file).read_text()) if document]


def kustomized(folder, report):
    """What `kubectl apply -k` would send, with the examples as secrets."""
    if not shutil.which("kubectl"):
        return report.skip("rendering: kubectl is not installed; the resources were loaded as they are written")
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "kubernetes"
        shutil.copytree(folder, copy)
        for example in copy.rglob("*.example"):
            shutil.copy(example, example.with_suffix(""))
        command = ["kubectl", "kustomize", str(copy / "overlays" / "production")]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return report.bad(f"kubectl kustomize: {done.stderr.strip()}")
    report.ok("kubectl kustomize renders the overlay")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def schemas(resources, crds, which, report):
    versions = kubernetes_versions()
    problems, checked = [], 0
    for resource in resources:
        if resource["apiVersion"].startswith(CUSTOM):
            continue
        checked += 1
        for version in (versions[0], versions[-1]):
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                path = ".".join(map(str, error.path))
                problems.append(f"{name_of(resource)}: {path}: {error.message.splitlines()[0]} (Kubernetes {version})")
            except kubernetes_validate.SchemaNotFoundError as error:
                problems.append(f"{name_of(resource)}: {error} (Kubernetes {version})")
    report.all(f"{checked} resources {which} fit Kubernetes {versions[0]} and {versions[-1]}", problems)
    if which == "as written":
        custom_schemas([resource for resource in resources if resource["apiVersion"].startswith(CUSTOM)], crds, report)


def kubernetes_versions():
    folder = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    found = {entry.name.removeprefix("v").split("-")[0] for entry in folder.iterdir() if entry.name.startswith("v")}
    parts = sorted(tuple(map(int, version.split(".")[:2])) for version in found)
    return [f"{major}.{minor}" for major, minor in parts if (major, minor) >= OLDEST]


def custom_schemas(resources, crds, report):
    import jsonschema

    for resource in resources:
        group, version = resource["apiVersion"].split("/")
        schema = next(
            (
                served["schema"]["openAPIV3Schema"]
                for crd in crds
                if crd.get("kind") == "CustomResourceDefinition"
                and crd["spec"]["group"] == group
                and crd["spec"]["names"]["kind"] == resource["kind"]
                for served in crd["spec"]["versions"]
                if served["name"] == version
            ),
            None,
        )
        if schema is None:
            report.skip(f"{name_of(resource)}: its schema is no part of Kubernetes; give its definition with --crd")
            continue
        closed(schema)
        errors = jsonschema.Draft202012Validator(schema).iter_errors(resource)
        report.all(f"{name_of(resource)} fits its definition", (f"{name_of(resource)}: {e.json_path}: {e.message}" for e in errors))


def closed(schema):
    """Kubernetes prunes fields that a definition does not name; here they are errors. Its metadata is Kubernetes' own."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            properties.get("metadata", {}).pop("properties", None)
            if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
                schema["additionalProperties"] = False
        for value in list(schema.values()):
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)


def name_of(resource):
    return f"{resource['kind']} {resource['metadata']['name']}"


def pod_template(resource):
    spec = resource["spec"]
    return spec["jobTemplate"]["spec"]["template"] if resource["kind"] == "CronJob" else spec["template"]


def fits(resources, loaded, report):
    """Names, ports and labels that one resource expects of another."""
    workloads = [resource for resource in resources if resource["kind"] in WORKLOADS]
    labels = [pod_template(resource)["metadata"]["labels"] for resource in workloads]
    names = {kind: {r["metadata"]["name"] for r in resources if r["kind"] == kind} for kind in ("ConfigMap", "Secret", "ServiceAccount")}
    for kind, generated in loaded.generated.items():
        names[kind] |= generated
    problems = []

    def selected(who, selector):
        wanted = selector.get("matchLabels", selector)
        if not any(wanted.items() <= have.items() for have in labels):
            problems.append(f"{who} selects no pod of ours: {wanted}")

    for workload in workloads:
        who, spec = name_of(workload), pod_template(workload)["spec"]
        if "selector" in workload["spec"]:
            if not workload["spec"]["selector"]["matchLabels"].items() <= pod_template(workload)["metadata"]["labels"].items():
                problems.append(f"{who} does not select its own pods")
        if spec.get("serviceAccountName", "default") not in names["ServiceAccount"] | {"default"}:
            problems.append(f"{who}: there is no ServiceAccount {spec['serviceAccountName']}")
        for volume in spec.get("volumes", []):
            if "configMap" in volume and volume["configMap"]["name"] not in names["ConfigMap"]:
                problems.append(f"{who}: there is no ConfigMap {volume['configMap']['name']}")
            if "secret" in volume and volume["secret"]["secretName"] not in names["Secret"]:
                problems.append(f"{who}: there is no Secret {volume['secret']['secretName']}")
        claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | claims
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                if source["secretRef"]["name"] not in names["Secret"]:
                    problems.append(f"{who}: there is no Secret {source['secretRef']['name']}")
            problems += [f"{who}: there is no volume {m['name']}" for m in container.get("volumeMounts", []) if m["name"] not in volumes]
    for resource in resources:
        who = name_of(resource)
        if resource["kind"] == "Service":
            selector = resource["spec"]["selector"]
            selected(who, selector)
            ports = {
                port["name"]
                for workload, have in zip(workloads, labels) if selector.items() <= have.items()
                for container in pod_template(workload)["spec"]["containers"] for port in container.get("ports", [])
            }
            problems += [f"{who}: no container has a port {p['targetPort']}" for p in resource["spec"]["ports"] if p["targetPort"] not in ports]
        elif resource["kind"] == "PodDisruptionBudget":
            selected(who, resource["spec"]["selector"])
        elif resource["kind"] == "NetworkPolicy":
            selected(who, resource["spec"]["podSelector"])
            for rule in resource["spec"].get("ingress", []) + resource["spec"].get("egress", []):
                for peer in rule.get("from", []) + rule.get("to", []):
                    if "podSelector" in peer and "namespaceSelector" not in peer:
                        selected(f"{who} (a peer)", peer["podSelector"])
        elif resource["kind"] == "ScaledObject":
            if resource["spec"]["scaleTargetRef"]["name"] not in {w["metadata"]["name"] for w in workloads}:
                problems.append(f"{who} scales what is not there")
    report.all("selectors, ports, volumes, secrets and accounts are there", problems)


def restricted(resources, report):
    """The parts of the `restricted` pod security standard, and what this project promises beyond it."""
    problems = []
    for resource in (resource for resource in resources if resource["kind"] in WORKLOADS):
        who, spec = name_of(resource), pod_template(resource)["spec"]
        pod = spec.get("securityContext", {})
        if not pod.get("runAsNonRoot") or pod.get("runAsUser", 0) == 0:
            problems.append(f"{who} may run as root")
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            problems.append(f"{who} has no seccomp profile")
        for container in spec["containers"]:
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
                problems.append(f"{who} may gain rights")
            if not own.get("readOnlyRootFilesystem"):
                problems.append(f"{who} may write into its root")
            if not {"requests", "limits"} <= container.get("resources", {}).keys():
                problems.append(f"{who} does not say what it needs")
    report.all("every pod is non-root, read-only, without rights", problems)


def timing(resources, folder, report):
    """A pod must be given longer to end than ending takes."""
    node = next(r for r in resources if r["kind"] == "Deployment")
    spec = node["spec"]["template"]["spec"]
    container = spec["containers"][0]
    settings = tomllib.loads((folder / "base" / "footlight.toml").read_text())
    command = container["lifecycle"]["preStop"]["exec"]["command"][-1].split()
    moves, drains = seconds(command[command.index("--deadline") + 1]), seconds(settings["node"]["drain_deadline"])
    needed, given = moves + drains + TAIL_S, spec["terminationGracePeriodSeconds"]
    report.all(f"a node gets {given} s to end and needs {needed:.0f} s at most", [] if given > needed else [f"a node gets {given} s to end and may need {needed:.0f} s"])
    liveness = container["livenessProbe"]["httpGet"]["path"]
    report.all("liveness asks the process alone", [] if liveness == "/healthz" else [f"liveness asks {liveness}, which the store can fail"])
    workers, cores = settings["stage"]["workers"], container["resources"]["requests"]["cpu"]
    report.all("workers are the cores that are asked for", [] if str(workers) == cores else [f"stage.workers is {workers}, cpu {cores}"])
    if "cpu" in container["resources"].get("limits", {}):
        report.bad("a node has a limit of CPU, which makes all its frames late at once")
    missing = [name for name in ("startupProbe", "readinessProbe", "livenessProbe") if name not in container]
    if missing:
        raise Skip(f"probes: {missing} are not there")
