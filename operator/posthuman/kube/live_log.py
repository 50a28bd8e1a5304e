"""The log of a running job's algorithm, for its owner: rank 0 of the newest attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator

from posthuman.api.job import ComputeJob
from posthuman.api.meta import LABEL_ATTEMPT, LABEL_JOB_UID, LABEL_ROLE
from posthuman.errors import NotFound, UserError
from posthuman.jobs.steps import Role
from posthuman.kube.client import KubeClient
from posthuman.kube.names import LABEL_COMPLETION_INDEX
from posthuman.kube.resources import PODS
from posthuman.kube.seen import SeenPod, seen_pod

PIECE_BYTES = 64 * 1024


async def live_log(client: KubeClient, job: ComputeJob, follow: bool) -> AsyncIterator[bytes]:
    """Raises NotFound where no pod of it runs (yet)."""
    pod = await _rank_zero(client, job)
    params = {"container": Role.RUN.value, "follow": "true" if follow else "false"}
    namespace, name = pod.metadata.key
    try:
        async with client.stream_log(PODS, namespace, name, params) as stream:
            async for piece in stream.iter_chunked(PIECE_BYTES):
                yield piece
    except UserError as error:  # "container is waiting to start"
        raise NotFound(str(error)) from error


async def _rank_zero(client: KubeClient, job: ComputeJob) -> SeenPod:
    namespace, uid = job.status.work_namespace, job.metadata.uid
    if not namespace:
        raise NotFound(f"job {job.metadata.key} has no pods yet")
    selector = f"{LABEL_JOB_UID}={uid},{LABEL_ROLE}={Role.RUN},{LABEL_COMPLETION_INDEX}=0"
    found = await client.list(PODS, namespace, selector=selector)
    pods = [seen_pod(body) for body in found["items"]]
    if not pods:
        raise NotFound(f"no pod of job {job.metadata.key} runs the algorithm now")
    return max(pods, key=lambda pod: int(pod.metadata.labels.get(LABEL_ATTEMPT, "0")))
