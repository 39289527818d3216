"""Checks the manifests of deploy/kubernetes, as they are and with the patches of the folder http: each against the schema
of its kind, and all of them against each other and against the container file.

usage: manifests.py FOLDER CONTAINERFILE SETTINGS

Writes the agent's settings, as the ConfigMap has them, to the file SETTINGS, for the agent to check, and the variables
that the patches add to the same with the ending "env". Ends with 1 and a
line for each finding. Before that it breaks the manifests in several ways and ends with 1 if that is not noticed.
"""

import copy
import itertools
import pathlib
import re
import sys
import tomllib

import kubernetes_validate
import yaml

# The oldest and the newest version of Kubernetes that its project maintains.
VERSIONS = ("1.35", "1.37")


def main():
    folder, container_file, settings = map(pathlib.Path, sys.argv[1:])
    texts = {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.yaml"))}
    image = container_file.read_text()
    findings = check(texts, image)
    findings += unnoticed(texts, image) if not findings else []
    for finding in findings:
        print(finding)
    if findings:
        sys.exit(1)
    documents = parse(texts)
    settings.write_text(only(documents, "ConfigMap")["data"]["mingle.toml"])
    added = variables(patched(texts, documents)).items()
    settings.with_suffix(".env").write_text("".join(f"{name}={value}\n" for name, value in added))
    print(f"{len(documents)} manifests fit Kubernetes {' and '.join(VERSIONS)}, and each other; {len(BROKEN)} broken ones were noticed")


def parse(texts):
    plain = (text for name, text in texts.items() if "/" not in name and name != "kustomization.yaml")
    return [document for text in plain for document in yaml.safe_load_all(text)]


def patched(texts, documents):
    """The documents as the kustomization of the folder http changes them, by patches that only add to lists."""
    documents = copy.deepcopy(documents)
    for patch in yaml.safe_load(texts["http/kustomization.yaml"])["patches"]:
        document = only(documents, patch["target"]["kind"])
        for change in yaml.safe_load(texts[f"http/{patch['path']}"]):
            *steps, end = change["path"].lstrip("/").split("/")
            if (change["op"], end) != ("add", "-"):
                raise ValueError(f"http/{patch['path']}: {change['op']} {change['path']} is not tried here")
            place = document
            for step in steps:
                place = place[int(step) if step.isdigit() else step]
            place.append(change["value"])
    return documents


def variables(documents):
    return {v["name"]: v["value"] for v in container(documents)["env"] if "value" in v}


def only(documents, kind):
    found = [document for document in documents if document.get("kind") == kind]
    if len(found) != 1:
        raise ValueError(f"there are {len(found)} of kind {kind}, and should be one")
    return found[0]


def check(texts, image):
    """All findings, as lines of text."""
    try:
        documents = parse(texts)
        secrets = yaml.safe_load(texts["kustomization.yaml"])["secretGenerator"]
        more = yaml.safe_load(texts["http/kustomization.yaml"])["secretGenerator"]
        return (
            list(listed(texts))
            or fitting(documents, secrets, image)
            or [f"http: {what}" for what in fitting(patched(texts, documents), secrets + more, image)]
        )
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, KeyError, TypeError, IndexError) as error:
        return [f"{type(error).__name__}: {error}"]


def fitting(documents, secrets, image):
    return schemas(documents) or [
        *selected(documents),
        *connected(documents),
        *mounted(documents, secrets),
        *settled(documents),
        *fits_image(documents, image),
    ]


def schemas(documents):
    for document, version in itertools.product(documents, VERSIONS):
        what = f"{document.get('kind')} {document.get('metadata', {}).get('name')} in {version}"
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [f"{what}: {'/'.join(map(str, error.path))}: {error.message}"]
        except kubernetes_validate.SchemaNotFoundError as error:
            return [f"{what}: {error.message}"]
    return []


def listed(texts):
    """What kustomize applies is what is there."""
    resources = set(yaml.safe_load(texts["kustomization.yaml"])["resources"])
    there = {name for name in texts if "/" not in name} - {"kustomization.yaml"}
    for name in sorted(resources ^ there):
        yield f"{name}: " + ("is not in kustomization.yaml" if name in there else "is not there")


def selected(documents):
    """Whatever selects pods selects those of the StatefulSet."""
    template = only(documents, "StatefulSet")["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    for document in documents:
        for place, selector in selectors(document.get("spec", {})):
            selector = selector.get("matchLabels", selector)
            if not selector or not selector.items() <= labels:
                yield f"{document['kind']}: {place} does not select the agents' pods"


def selectors(node, path=()):
    if isinstance(node, list):
        for item in node:
            yield from selectors(item, path)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("selector", "podSelector", "labelSelector"):
                yield ".".join((*path, key)), value
            else:
                yield from selectors(value, (*path, key))


def connected(documents):
    """Name, ports and policy lead to the ports of the container."""
    stateful, service = only(documents, "StatefulSet")["spec"], only(documents, "Service")
    http, ports = [], []
    for port in container(documents)["ports"]:
        (http if port["name"] == "http" else ports).append(port)
    open_ports = {(port["containerPort"], port["protocol"]) for port in ports}
    if stateful["podManagementPolicy"] != "Parallel":
        yield "StatefulSet: agents would wait for each other"
    if stateful["serviceName"] != service["metadata"]["name"]:
        yield "StatefulSet: serviceName names no Service"
    spec = service["spec"]
    if spec["clusterIP"] != "None" or not spec["publishNotReadyAddresses"]:
        yield "Service: agents would not find each other before they are ready"
    named = {(port["name"], port["containerPort"], port["protocol"]) for port in ports}
    if {(port["targetPort"], port["port"], port["protocol"]) for port in spec["ports"]} != named:
        yield "Service: its ports are not those of the container"
    policy = only(documents, "NetworkPolicy")["spec"]
    for rule in (policy["ingress"][0], policy["egress"][0]):
        if {(port["port"], port["protocol"]) for port in rule["ports"]} != open_ports:
            yield "NetworkPolicy: its ports are not those of the container"
    allowed = [(port["port"], port["protocol"]) for rule in policy["ingress"][1:] for port in rule["ports"]]
    if allowed != [(port["containerPort"], port["protocol"]) for port in http]:
        yield "NetworkPolicy: what it allows beside gossip is not HTTP"


def mounted(documents, secrets):
    """Each mount has its volume, and each volume its source."""
    spec = only(documents, "StatefulSet")["spec"]
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    mounts = {mount["name"] for mount in container(documents)["volumeMounts"]}
    if volumes != mounts:
        yield f"StatefulSet: volumes and mounts differ: {', '.join(sorted(volumes ^ mounts))}"
    configuration = only(documents, "ConfigMap")
    known = {("configMap", configuration["metadata"]["name"], key) for key in configuration["data"]}
    for secret in secrets:
        known |= {("secret", secret["name"], file) for file in secret["files"]}
    for kind, name, key, _ in sources(documents):
        if (kind, name, key) not in known:
            yield f"StatefulSet: there is no {kind} {name} with {key}"


def sources(documents):
    volumes = only(documents, "StatefulSet")["spec"]["template"]["spec"]["volumes"]
    for source in (source for volume in volumes for source in volume["projected"]["sources"]):
        for kind, value in source.items():
            for item in value["items"]:
                yield kind, value["name"], item["key"], item["path"]


def settled(documents):
    """The settings name what is there."""
    settings = tomllib.loads(only(documents, "ConfigMap")["data"]["mingle.toml"])
    agent = container(documents)
    paths = {mount["name"]: mount["mountPath"] for mount in agent["volumeMounts"]}
    files = {f"{paths['settings']}/{path}" for _, _, _, path in sources(documents)}
    wanted = {
        "retry_join": [only(documents, "Service")["metadata"]["name"]],
        "state": paths["state"],
    }
    for key, value in wanted.items():
        if settings[key] != value:
            yield f"ConfigMap: {key} is {settings[key]!r}, and should be {value!r}"
    added = variables(documents)
    token = [added[name] for name in ("MINGLE_HTTP_TOKEN_FILE",) if name in added]
    for file in (settings["keyring_file"], agent["args"][agent["args"].index("--config") + 1], *token):
        if file not in files:
            yield f"StatefulSet: {file} is not mounted"
    for opened in agent["ports"]:
        bound = added["MINGLE_HTTP"] if opened["name"] == "http" else settings["bind"]
        if not bound.endswith(f":{opened['containerPort']}"):
            yield f"StatefulSet: {opened['name']} is not the port of {bound}, where the agent listens"


def fits_image(documents, image):
    """Pods run what the container file makes, as whom it says."""
    program = re.search(r'^ENTRYPOINT \["([^"]+)"\]', image, re.MULTILINE)[1]
    user, group = map(int, re.search(r"^USER (\d+):(\d+)", image, re.MULTILINE).groups())
    agent, pod = container(documents), only(documents, "StatefulSet")["spec"]["template"]["spec"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if agent[probe]["exec"]["command"][0] != program:
            yield f"StatefulSet: {probe} runs something else than {program}"
    context = pod["securityContext"]
    if (context["runAsUser"], context["runAsGroup"]) != (user, group):
        yield f"StatefulSet: it does not run as {user}:{group}, as the image says"


def container(documents):
    (agent,) = only(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return agent


# Faults that must be noticed: the file, what stands there, and what takes its place.
BROKEN = [
    ("statefulset.yaml", "podManagementPolicy: Parallel", "podManagementPolicy: Sideways"),
    ("statefulset.yaml", "replicas: 3", "replicas: three"),
    ("statefulset.yaml", "readOnlyRootFilesystem", "readOnlyRootFileSystem"),
    ("statefulset.yaml", "apiVersion: apps/v1", "apiVersion: apps/v1beta1"),
    ("statefulset.yaml", "serviceName: mingle", "serviceName: mingel"),
    ("statefulset.yaml", "name: mingle-keys", "name: keys"),
    ("statefulset.yaml", "- name: state\n              mountPath", "- name: data\n              mountPath"),
    ("statefulset.yaml", '["/usr/bin/mingle", "info"]', '["/bin/sh", "-c", "mingle info"]'),
    ("statefulset.yaml", "runAsUser: 65532", "runAsUser: 1000"),
    ("service.yaml", "clusterIP: None", "clusterIP: 10.0.0.1"),
    ("service.yaml", "protocol: UDP", "protocol: TCP"),
    ("networkpolicy.yaml", "port: 7946", "port: 7947"),
    ("poddisruptionbudget.yaml", "app.kubernetes.io/name: mingle\n", "app: mingle\n"),
    ("kustomization.yaml", "  - service.yaml\n", ""),
    ("configmap.yaml", 'retry_join = ["mingle"]', 'retry_join = ["serf"]'),
    ("configmap.yaml", "/etc/mingle/keys.json", "/etc/keys.json"),
    ("configmap.yaml", 'state = "', 'state = '),
    ("http/statefulset.yaml", "containers/0/env/-", "containers/1/env/-"),
    ("http/statefulset.yaml", "containerPort: 7374", "containerPort: 7375"),
    ("http/statefulset.yaml", "containerPort:", "containerport:"),
    ("http/statefulset.yaml", "value: /etc/mingle/token", "value: /etc/token"),
    ("http/statefulset.yaml", "name: mingle-token", "name: token"),
    ("http/networkpolicy.yaml", "port: 7374", "port: 7375"),
    ("http/networkpolicy.yaml", "namespaceSelector", "namespaces"),
    ("http/kustomization.yaml", "path: networkpolicy.yaml", "path: policy.yaml"),
]


def unnoticed(texts, image):
    for name, before, after in BROKEN:
        at = texts[name].rfind(before)
        if at < 0:
            yield f"{name}: {before!r} is not there to be broken"
        changed = texts[name][:at] + after + texts[name][at + len(before) :]
        if not check({**texts, name: changed}, image):
            yield f"{name}: {after!r} in place of {before!r} is not noticed"


main()
