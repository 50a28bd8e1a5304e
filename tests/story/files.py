"""A web server in the cluster, so that inputs can come by URI from a place that a test chooses."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.kubectl import kubectl
from tests.story.services import NAMESPACE

HERE = Path(__file__).resolve().parent / "manifests"
PROBE = HERE.parents[1] / "seal" / "probe.py"
PORT = 8080
TEXT = "".join(f'{{"text": "sentence number {number} of a small text"}}\n' for number in range(60))


def start() -> str:
    """Serve; gives `address:port`."""
    kubectl("-n", NAMESPACE, "create", "configmap", "files", f"--from-literal=text.jsonl={TEXT}",
            f"--from-file={HERE / 'file_server.py'}", f"--from-file={PROBE}")  # fmt: skip
    kubectl("apply", "-f", HERE / "files.yaml")
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/files", "--timeout=60s")
    address = kubectl(
        "-n", NAMESPACE, "get", "service", "files", "-o", "jsonpath={.spec.clusterIP}"
    )
    return f"{address}:{PORT}"
