"""A cluster of plain processes: the way without Docker.

The order of `up` is that of need: network, API, node, storage. `down` reads what to end from the
machine alone (pid files, mounts, the bridge), so it also clears away what a killed `up` left.
"""

import shutil
from pathlib import Path

from tests.cluster import (
    binaries,
    control_plane,
    daemons,
    facts,
    leftovers,
    machine,
    network,
    node,
    storage,
)
from tests.cluster.errors import ClusterError
from tests.cluster.images import load
from tests.cluster.kubectl import api_ready, kubectl
from tests.cluster.layout import (
    CONTAINERD_SOCKET,
    KUBECONFIG,
    LOGS,
    NODE_IP,
    NODE_NAME,
    OWNER_FILE,
    REPOSITORY,
    RUN,
    STATE,
)
from tests.cluster.shell import say, turn, wait_until

SERVERS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
    "provisioner",
)
# Clients before servers, so that nothing reports errors on its way out; containers in between.
STOPPED_BEFORE_CONTAINERS = ("kwok", "provisioner", "kubelet", "kube-proxy", "coredns")
STOPPED_AFTER_CONTAINERS = (
    "containerd",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)
LOCK = RUN.with_suffix(".lock")


def up(replace: bool) -> None:
    """Bring the cluster up; one that is up already is left as it is."""
    machine.install_packages()
    binaries.build(binaries.NATIVE)
    with turn(LOCK, "bringing the cluster up or down"):
        if is_up():
            say("the cluster is up already")
            return
        if not _can_be_mended():
            _clear_the_way(replace)
        _start()
    say(f"the cluster is up: export KUBECONFIG={KUBECONFIG}")


def _can_be_mended() -> bool:
    """Is only a lesser server missing? Then what runs on the cluster need not be lost."""
    return leftovers.owner() == REPOSITORY and daemons.alive("containerd") and api_ready()


def _clear_the_way(replace: bool) -> None:
    """Take away what is left of an earlier cluster; another checkout's living one only if asked."""
    owner = leftovers.owner()
    living = [name for name in daemons.names() if daemons.alive(name)]
    if owner != REPOSITORY and owner.exists() and living and not replace:
        raise ClusterError(
            f"the cluster of {owner} is up, and a machine holds one only; run `make cluster-down`"
            " there, or `python -m tests.cluster up --replace` here to take its place"
        )
    _take_away(owner)


def _start() -> None:
    say("starting Kubernetes, about 20 s")
    RUN.mkdir(parents=True, exist_ok=True)
    STATE.mkdir(parents=True, exist_ok=True)
    OWNER_FILE.write_text(str(REPOSITORY))
    network.up()
    control_plane.up()
    node.up()
    storage.start(NODE_NAME)
    wait_until("the default service account", _default_account_exists, 30)
    _record_facts()


def _default_account_exists() -> bool:
    return "default" in kubectl("get", "serviceaccounts", "-n", "default", "-o", "name")


def _record_facts() -> None:
    built = {
        module.name.upper(): binaries.program(module.name)
        for module in (binaries.KWOK, binaries.VERSITYGW)
        if module.built
    }
    facts.record(
        **built,
        PROVIDER="native",
        KUBECONFIG=KUBECONFIG,
        KUBECTL=binaries.program("kubectl"),
        HELM=binaries.program("helm"),
        NODE_NAME=NODE_NAME,
        NODE_IP=NODE_IP,
        HOST_IP=NODE_IP,
        CONTAINERD_SOCKET=CONTAINERD_SOCKET,
    )
    load.record_loaded()


def is_up() -> bool:
    """Do all servers of *this* checkout's cluster run, and does the API answer?"""
    mine = leftovers.owner() == REPOSITORY and bool(facts.read())
    return mine and all(map(daemons.alive, SERVERS)) and api_ready()


def down() -> None:
    """Take the cluster away, with everything that a killed one left."""
    with turn(LOCK, "bringing the cluster up or down"):
        say("taking the cluster away, about 10 s")
        _take_away(leftovers.owner())
    say(f"the cluster is gone; its logs are in {LOGS}")


def _take_away(owner: Path) -> None:
    for name in STOPPED_BEFORE_CONTAINERS:
        daemons.stop(name)
    daemons.kill_containers()
    for name in STOPPED_AFTER_CONTAINERS:
        daemons.stop(name)
    state = owner / ".run" / "cluster"
    leftovers.unmount_below(RUN)
    leftovers.unmount_below(state)
    network.down()
    leftovers.remove_pod_cgroups()
    leftovers.remove_state(state)
    shutil.rmtree(RUN, ignore_errors=True)


def load_images(names: list[str]) -> None:
    """Build images in the cluster's containerd."""
    load.load(names)
