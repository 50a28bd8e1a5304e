"""`python -m benchmarks.throughput`: the peer, then ours, on the same cluster."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput.measure import Result, Silent, measure, with_usage
from benchmarks.throughput.nodes import SELECTOR, STORAGE_CLASS, TOLERATION, fake_nodes
from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.api.meta import API_VERSION, LABEL_WORK_NAMESPACE
from posthuman.kube.client import KubeClient
from posthuman.kube.connection import connect
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import HERE, KUBECONFIG

ROOT = HERE.parent.parent
OURS, WORK, PEER = "bench-ours", "bench-work", "bench-peer"
FILE = ManifestFile(path="report.json", sha256="0" * 64, size=2, file_class="result")
MANIFEST = encode_manifest(Manifest(files=(FILE,)))
OWNER = "0x" + "1" * 40


def main() -> None:
    """Run, print a table, exit 1 where ours falls below the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--least-ratio", type=float, default=0.5, help="of the peer's rate")
    options = parser.parse_args()
    if "posthuman" in kubectl("get", "deployments", "--all-namespaces", "-o", "name"):
        sys.exit("an operator is installed on this cluster; uninstall it first")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", ROOT / "crds")
    with fake_nodes(digest_of(MANIFEST), options.objects), tempfile.TemporaryDirectory() as store:
        peer = asyncio.run(_peer(options.objects))
        ours = asyncio.run(_ours(options.objects, Path(store)))
    _print([peer, ours])
    ratio = ours.per_second / peer.per_second
    print(f"\nours / peer: {ratio:.2f} (limit {options.least_ratio})")
    sys.exit(0 if ratio >= options.least_ratio else 1)


async def _ours(count: int, store: Path) -> Result:
    for namespace in (OURS, WORK):
        _namespace(namespace)
    _apply(_environment(store))
    options = ("--namespace", WORK, "--jobkit-image", "fake", "--algorithms-image", "fake")
    process = await _start(
        *("-m", "posthuman.cli", "operator", *options, "--port", "8099"),
        *("--algorithms", str(ROOT / "algorithms"), "--kubeconfig", str(KUBECONFIG)),
    )
    kubectl("wait", "--for=condition=Ready", "computeenvironment/bench", "--timeout=60s")

    def lay_manifest(created: dict[str, Any]) -> None:
        folder = store / "jobs" / created["metadata"]["uid"]
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_bytes(MANIFEST)

    def owner(job: dict[str, Any]) -> str:
        found = job["metadata"].get("annotations", {}).get("compute.posthuman.network/job", "")
        return str(found.rpartition("/")[2])

    client = KubeClient(await connect(str(KUBECONFIG)), Silent())
    try:
        run = measure("posthuman", client, _bodies(count, OURS), owner, lay_manifest)
        return await with_usage(run, process)
    finally:
        await _clear(client, OURS, WORK)


async def _peer(count: int) -> Result:
    _namespace(PEER)
    peer = Path(__file__).with_name("peer.py")
    process = await _start("-m", "kopf", "run", "--standalone", "-n", PEER, "-q", str(peer))
    client = KubeClient(await connect(str(KUBECONFIG)), Silent())
    try:
        run = measure(
            "bare Kopf, 3 Jobs",
            client,
            _bodies(count, PEER),
            lambda job: str(job["metadata"].get("labels", {}).get("bench-object", "")),
            lambda _created: None,
        )
        return await with_usage(run, process)
    finally:
        await _clear(client, PEER)


async def _clear(client: KubeClient, *namespaces: str) -> None:
    await client.close()
    finalizers = '{"metadata":{"finalizers":null}}'
    for namespace in namespaces:
        names = kubectl("get", "computejobs", "-n", namespace, "-o", "name").split()
        for name in names:
            kubectl("patch", name, "-n", namespace, "--type=merge", "-p", finalizers)
        kubectl("delete", "namespace", namespace, "--wait=false")
    if OURS in namespaces:
        kubectl("patch", "computeenvironment/bench", "--type=merge", "-p", finalizers)
    kubectl("delete", "computeenvironment", "bench", "--ignore-not-found")


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)


def _bodies(count: int, namespace: str) -> list[dict[str, Any]]:
    spec = {
        "environmentRef": {"name": "bench"},
        "owner": OWNER,
        "algorithm": {"builtin": {"name": "generate"}},
        "inputs": [{"name": "model", "kind": "model", "uri": "https://example.com/model"}],
    }
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ComputeJob",
            "metadata": {"name": f"job-{index}", "namespace": namespace},
            "spec": spec,
        }
        for index in range(count)
    ]


def _environment(store: Path) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ComputeEnvironment",
        "metadata": {"name": "bench"},
        "spec": {
            "workNamespace": WORK,
            "store": {"url": f"file://{store}"},
            "scheduling": {"nodeSelector": SELECTOR, "tolerations": [TOLERATION]},
            "workspace": {"storageClassName": STORAGE_CLASS},
            "limits": {"maxJobs": 10000, "maxStaged": 10000, "maxJobsPerOwner": 10000},
        },
    }


def _namespace(name: str) -> None:
    labels = {LABEL_WORK_NAMESPACE: "true"} if name == WORK else {}
    metadata = {"name": name, "labels": labels}
    _apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def _apply(document: dict[str, Any]) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps(document))


def _print(results: list[Result]) -> None:
    table = Table("", "done/s", "first Job p50", "p99", "writes", "CPU s", "MiB")
    for found in results:
        table.add_row(
            found.name,
            f"{found.per_second:.1f}",
            f"{found.first_job_p50:.1f} s",
            f"{found.first_job_p99:.1f} s",
            f"{found.writes_per_object:.1f}",
            f"{found.cpu_seconds:.1f}",
            f"{found.peak_mebibytes:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
