"""A person at a cluster: asks the API server as themself, with the rights that they have there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import ANNOTATION_PUBLISH_AGAIN
from posthuman.api.parse import Resource, parse
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.kube.client import KubeClient
from posthuman.kube.connection import connect_as_person
from posthuman.kube.resources import OWN

R = TypeVar("R", bound=Resource)


class _Uncounted:
    """A command has no metrics."""

    def api_call(self, verb: str, kind: str, code: int, seconds: float) -> None:
        """Nothing is kept."""


@asynccontextmanager
async def person_at(context: str) -> AsyncIterator[KubeClient]:
    """With $KUBECONFIG or ~/.kube/config; `context`: the current one if empty."""
    client = KubeClient(await connect_as_person(context), _Uncounted())
    try:
        yield client
    finally:
        await client.close()


async def read_environment(name: str, context: str) -> ComputeEnvironment:
    """As the API server has it. Raises UserError, TransientError."""
    return await _read(ComputeEnvironment, "", name, context)


async def read_job(namespace: str, name: str, context: str) -> ComputeJob:
    """The same of a job."""
    return await _read(ComputeJob, namespace, name, context)


async def ask_to_publish_again(job: ComputeJob, context: str) -> None:
    """Raises Conflict where the job has changed since it was read; UserError, TransientError."""
    meta = job.metadata
    named = {ANNOTATION_PUBLISH_AGAIN: job.status.finished_at}
    body = {"metadata": {"resourceVersion": meta.resource_version, "annotations": named}}
    async with person_at(context) as client:
        with _rights_told("change ComputeJobs", f"namespace {meta.namespace}"):
            await client.patch(OWN["ComputeJob"], meta.namespace, meta.name, body)


async def _read(kind: type[R], namespace: str, name: str, context: str) -> R:
    plural = OWN[kind.__name__].plural
    where = f"namespace {namespace}" if namespace else "the cluster"
    async with person_at(context) as client:
        try:
            with _rights_told(f"read {kind.__name__}s", where):
                found = await client.get(OWN[kind.__name__], namespace, name)
        except NotFound:
            flag = f" -n {namespace}" if namespace else ""
            raise UserError(
                f'there is no {kind.__name__} "{name}" in {where}: `kubectl get {plural}{flag}` '
                "lists what there is"
            ) from None
    return parse(found, kind)


@contextmanager
def _rights_told(what: str, where: str) -> Iterator[None]:
    try:
        yield
    except TransientError as error:
        if error.reason not in ("Forbidden", "Unauthorized"):
            raise
        raise UserError(
            f"you may not {what} in {where}: ask the cluster's admin for that right (the chart's "
            f"rbac values), or name another --context ({error})"
        ) from error
