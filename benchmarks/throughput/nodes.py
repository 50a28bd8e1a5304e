"""Fake nodes and volumes for a benchmark: kwok with stages of our own, only while the block lasts.

The volumes are there beforehand: a provisioner's speed isn't measured.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.cluster import binaries
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import KUBECONFIG

STAGES = Path(__file__).with_name("kwok.yaml")
NODES = 10
TAINT = {"key": "kwok.x-k8s.io/node", "value": "bench", "effect": "NoSchedule"}
SELECTOR = {"type": "kwok-bench"}
STORAGE_CLASS = "bench"
TOLERATION = {"key": TAINT["key"], "operator": "Exists"}


@contextmanager
def fake_nodes(manifest_digest: str, volumes: int) -> Iterator[None]:
    """Ten nodes whose pods succeed at once, and so many volumes that any pod can mount."""
    binaries.build([binaries.KWOK])
    with tempfile.TemporaryDirectory() as folder:
        stages = Path(folder) / "kwok.yaml"
        stages.write_text(STAGES.read_text().replace("MANIFEST_DIGEST", manifest_digest))
        log = (Path(folder) / "kwok.log").open("wb")
        kwok = subprocess.Popen(_command(stages), stdout=log, stderr=subprocess.STDOUT)
        try:
            _apply([_node(index) for index in range(NODES)])
            _apply([_STORAGE, *(_volume(index) for index in range(volumes))])
            kubectl("wait", "--for=condition=Ready", "node", "-l", "type=kwok-bench",
                    "--timeout=60s")  # fmt: skip
            yield
        finally:
            kubectl("delete", "node,pv,storageclass", "-l", "type=kwok-bench", "--wait=false")
            kwok.terminate()
            kwok.wait(timeout=30)
            log.close()


def _command(stages: Path) -> list[str]:
    return [
        str(binaries.program("kwok")),
        f"--kubeconfig={KUBECONFIG}",
        f"--config={stages}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-label-selector=type=kwok-bench",
        "--cidr=10.246.0.1/16",
        "--node-ip=10.246.0.1",
    ]


def _node(index: int) -> dict[str, object]:
    name = f"bench-{index}"
    labels = {**SELECTOR, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [TAINT]},
    }


_STORAGE: dict[str, object] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS, "labels": SELECTOR},
    "provisioner": "kubernetes.io/no-provisioner",
}


def _volume(index: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"bench-{index}", "labels": SELECTOR},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/nowhere"},
        },
    }


def _apply(documents: list[dict[str, object]]) -> None:
    command = [str(binaries.program("kubectl")), f"--kubeconfig={KUBECONFIG}", "apply", "-f", "-"]
    text = yaml.safe_dump_all(documents)
    subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)
