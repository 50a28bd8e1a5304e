"""The cluster where a Docker engine works: kind's, with the native one's outward interface.

Same names, same kubeconfig, same storage class, same pretended GPUs: a test can't tell which it is
on. Not tried on a machine without Docker, of course: native.py is what runs there.
"""

import base64
import json

from tests.cluster import binaries, credentials, daemons, facts, storage
from tests.cluster.images import kind_load
from tests.cluster.kubectl import kubectl, pretend_gpus
from tests.cluster.layout import ENV_FILE, HERE, KUBECONFIG, STATE
from tests.cluster.shell import Argument, run, say, turn

CLUSTER = "posthuman"
NODE = f"{CLUSTER}-control-plane"
PROGRAMS = (binaries.KIND, binaries.KUBECTL, binaries.HELM)
KIND_KUBECONFIG = STATE / "kind.kubeconfig"
LOCK = STATE.parent / "kind.lock"
ADMIN_TOKEN_LIFETIME = "8760h"


def up(replace: bool) -> None:
    """Bring the cluster up; kind itself refuses a second one of the name unless told to replace."""
    binaries.build(PROGRAMS)
    with turn(LOCK, "bringing the cluster up or down"):
        if is_up():
            say("the cluster is up already")
            return
        if replace:
            _kind("delete", "cluster", "--name", CLUSTER)
        say("starting kind's cluster, about 1 min (the first time it fetches the node's image)")
        STATE.mkdir(parents=True, exist_ok=True)
        _kind("create", "cluster", "--name", CLUSTER, "--kubeconfig", KIND_KUBECONFIG,
              "--wait", "120s")  # fmt: skip
        _write_kubeconfig()
        _prepare()
    say(f"the cluster is up: export KUBECONFIG={KUBECONFIG}")


def _prepare() -> None:
    """Give kind's cluster what the native one has."""
    pretend_gpus(NODE)
    kubectl("label", "node", NODE, "nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB", "--overwrite")
    kubectl("delete", "storageclass", "standard")  # kind's own knows no ReadWriteMany
    storage.start(NODE, ["docker", "exec", NODE])
    facts.record(
        PROVIDER="kind",
        KUBECONFIG=KUBECONFIG,
        KUBECTL=binaries.program("kubectl"),
        HELM=binaries.program("helm"),
        NODE_NAME=NODE,
        NODE_IP=_inspect("{{.NetworkSettings.Networks.kind.IPAddress}}"),
        HOST_IP=_inspect("{{.NetworkSettings.Networks.kind.Gateway}}"),
    )


def _write_kubeconfig() -> None:
    """Write the admin's kubeconfig with a token, as JSON: the form that our own client reads."""
    kind = (binaries.program("kubectl"), "--kubeconfig", KIND_KUBECONFIG)
    config = json.loads(run(*kind, "config", "view", "--raw", "-o", "json"))
    run(*kind, "apply", "-f", HERE / "manifests" / "kind-admin.yaml")
    token = run(*kind, "-n", "kube-system", "create", "token", "posthuman-test-admin",
                f"--duration={ADMIN_TOKEN_LIFETIME}").strip()  # fmt: skip
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"])
    credentials.write_kubeconfig("admin", token, cluster["server"], authority)


def _inspect(template: str) -> str:
    return run("docker", "inspect", "--format", template, NODE).strip()


def _kind(*arguments: Argument) -> str:
    return run(binaries.program("kind"), *arguments)


def is_up() -> bool:
    """Is our cluster among kind's, and does this checkout know it?"""
    known = facts.read().get("PROVIDER") == "kind" and daemons.alive(storage.SERVER)
    return known and CLUSTER in _kind("get", "clusters").split()


def down() -> None:
    """Take the cluster away."""
    binaries.build(PROGRAMS)
    with turn(LOCK, "bringing the cluster up or down"):
        for name in daemons.names():
            daemons.stop(name)
        _kind("delete", "cluster", "--name", CLUSTER)
        for file in (KUBECONFIG, KIND_KUBECONFIG, ENV_FILE):
            file.unlink(missing_ok=True)
    say("the cluster is gone")


def load_images(names: list[str]) -> None:
    """Build images with Docker and bring them to the node."""
    kind_load.load(names, binaries.program("kind"), CLUSTER, NODE)
