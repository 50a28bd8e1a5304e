"""The default storage class, and the server that makes its volumes."""

import sys
from collections.abc import Sequence

from tests.cluster import daemons
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import HERE, REPOSITORY

SERVER = "provisioner"


def start(node: str, on_node: Sequence[str] = ()) -> None:
    """Start it; `on_node` is the command that runs a program on the node, if that isn't here."""
    kubectl("apply", "-f", HERE / "manifests" / "storage.yaml")
    command = [sys.executable, "-m", "tests.cluster.provisioner", node, *on_node]
    daemons.start(SERVER, command, env={"PYTHONPATH": str(REPOSITORY)})
