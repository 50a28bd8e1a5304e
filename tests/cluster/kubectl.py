"""kubectl as the cluster's admin: how our own code speaks to the cluster, whichever kind it is."""

import json

from tests.cluster.binaries import program
from tests.cluster.layout import KUBECONFIG
from tests.cluster.shell import Argument, attempt, run

PRETENDED_GPUS = 8


def kubectl(*arguments: Argument, stdin: str | None = None) -> str:
    """Run kubectl and return what it printed."""
    return run(program("kubectl"), "--kubeconfig", KUBECONFIG, *arguments, stdin=stdin)


def api_ready() -> bool:
    """Does the API server say that it is ready?"""
    if not KUBECONFIG.exists():
        return False
    options = ("--kubeconfig", KUBECONFIG, "--request-timeout=3s")
    return attempt(program("kubectl"), *options, "get", "--raw", "/readyz").returncode == 0


def pretend_gpus(node: str) -> None:
    """Let a node offer GPUs that it hasn't, so that a real job's manifest runs as it is."""
    gpus = {"nvidia.com/gpu": str(PRETENDED_GPUS)}
    patch = json.dumps({"status": {"capacity": gpus, "allocatable": gpus}})
    kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)
