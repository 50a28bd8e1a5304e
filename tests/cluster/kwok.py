"""Fake GPU nodes: kwok plays the kubelets of nodes that exist in the API only.

It manages the nodes with its own annotation and no others, so the real node's pods are out of its
reach; the taints in fake_gpu_nodes.yaml keep real workloads off the fake ones.
"""

from tests.cluster import binaries, daemons
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import HERE, KUBECONFIG
from tests.cluster.shell import say, wait_until

FAKE_NODES = HERE / "fake_gpu_nodes.yaml"
SELECTOR = "kwok.x-k8s.io/node=fake"
POD_CIDR = "10.245.0.1/16"


def up() -> None:
    """Start kwok and its two nodes of eight GPUs."""
    if not KUBECONFIG.exists():
        raise ClusterError("kwok needs a cluster; run `make cluster` first")
    binaries.build([binaries.KWOK])
    daemons.start("kwok", _kwok())
    kubectl("apply", "-f", FAKE_NODES)
    wait_until("the fake nodes", _ready, 30, "Its log is .run/cluster/logs/kwok.log.")
    say("two fake nodes of eight GPUs are Ready")


def down() -> None:
    """Remove the fake nodes with their pods, then kwok."""
    if KUBECONFIG.exists():
        for node in _nodes():
            kubectl("delete", "pods", "--all-namespaces", "--force", "--grace-period=0",
                    f"--field-selector=spec.nodeName={node}")  # fmt: skip
            kubectl("delete", "node", node)
    daemons.stop("kwok")
    say("the fake nodes are gone")


def _kwok() -> list[str]:
    return [
        str(binaries.program("kwok")),
        f"--kubeconfig={KUBECONFIG}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={SELECTOR}",
        f"--cidr={POD_CIDR}",
        "--node-ip=10.245.0.1",
    ]


def _nodes() -> list[str]:
    return kubectl("get", "nodes", "-l", "type=kwok", "-o", "name").replace("node/", "").split()


def _ready() -> bool:
    daemons.require_alive("kwok")
    path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    answers = kubectl("get", "nodes", "-l", "type=kwok", "-o", f"jsonpath={path}").split()
    return answers == ["True"] * len(_nodes())
