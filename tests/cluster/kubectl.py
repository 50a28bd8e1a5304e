"""kubectl as the cluster's admin: how our own code speaks to the cluster, whichever kind it is."""

from tests.cluster.binaries import program
from tests.cluster.layout import KUBECONFIG
from tests.cluster.shell import Argument, attempt, run


def kubectl(*arguments: Argument, stdin: str | None = None) -> str:
    """Run kubectl and return what it printed."""
    return run(program("kubectl"), "--kubeconfig", KUBECONFIG, *arguments, stdin=stdin)


def api_ready() -> bool:
    """Does the API server say that it is ready?"""
    if not KUBECONFIG.exists():
        return False
    options = ("--kubeconfig", KUBECONFIG, "--request-timeout=3s")
    return attempt(program("kubectl"), *options, "get", "--raw", "/readyz").returncode == 0
