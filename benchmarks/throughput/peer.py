"""The peer: what one writes with Kopf alone; one Job after another, two status writes an object.

Run by `kopf run --standalone`; BENCH_JOBS says how many Jobs an object takes (3: as many as ours).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
from kubernetes.aio import client, config

from benchmarks.throughput.nodes import SELECTOR, TOLERATION

GROUP, VERSION, PLURAL = "compute.posthuman.network", "v1alpha1", "computejobs"
JOBS = int(os.environ.get("BENCH_JOBS", "3"))
LABEL = "bench-object"
_load_kubeconfig: Callable[..., Awaitable[object]] = config.load_kube_config  # not typed there


@kopf.on.startup()
async def connect(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Kopf's own defaults, but for the posting of events."""
    settings.posting.enabled = False
    await _load_kubeconfig()


@kopf.on.create(GROUP, VERSION, PLURAL)
async def created(name: str | None, namespace: str | None, patch: kopf.Patch, **_: Any) -> None:
    """The first Job, and the first status write."""
    await _make_job(namespace or "", name or "", 1)
    patch.status["phase"] = "Running"


@kopf.on.event("batch", "v1", "jobs", labels={LABEL: kopf.PRESENT})
async def ended(body: kopf.Body, namespace: str | None, labels: Any, **_: Any) -> None:
    """The next Job, or the last status write."""
    conditions = body.get("status", {}).get("conditions", [])
    if not any(c["type"] == "Complete" and c["status"] == "True" for c in conditions):
        return
    name, number = labels[LABEL], int(labels["bench-number"])
    if number < JOBS:
        await _make_job(namespace or "", name, number + 1)
        return
    async with client.ApiClient() as api:
        await client.CustomObjectsApi(api).patch_namespaced_custom_object_status(
            GROUP, VERSION, namespace or "", PLURAL, name, {"status": {"phase": "Succeeded"}}
        )


async def _make_job(namespace: str, name: str, number: int) -> None:
    labels = {LABEL: name, "bench-number": str(number)}
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": SELECTOR,
        "tolerations": [TOLERATION],
        "containers": [{"name": "main", "image": "fake"}],
    }
    body: Any = {
        "metadata": {"name": f"{name}-{number}", "labels": labels},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
    async with client.ApiClient() as api:
        try:
            await client.BatchV1Api(api).create_namespaced_job(namespace, body)
        except client.ApiException as error:
            if error.status != 409:
                raise
