"""`posthuman submit`: a manifest's jobs to a gateway, watched until they end if asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from posthuman.api.job import FINISHED, ComputeJob, JobSpec, JobStatus, Phase, Progress
from posthuman.api.meta import Condition, Meta
from posthuman.cli.ending import FAILED, INTERRUPTED, SUCCEEDED, said
from posthuman.cli.watch import Seen, Watch
from posthuman.client import Gateway
from posthuman.errors import UserError
from posthuman.gateway.people.job_view import JobDetail
from posthuman.local.documents import DEFAULT_NAMESPACE, Document, read_documents
from posthuman.ports import JobEvent

POLL_SECONDS = 2.0


def submit_manifest(
    manifest: Path, gateway: Gateway, namespace: str, wait: bool, as_json: bool
) -> int:
    """Print each job's id. Raises UserError, TransientError."""
    documents = _jobs_of(manifest)
    made = [_submitted(gateway, document, namespace) for document in documents]
    if not as_json:
        for job in made:
            print(job.id)
    if wait:
        made = _awaited(gateway, made)
    if as_json:
        print(msgspec.json.encode(made).decode())
    if any(job.phase not in FINISHED for job in made):
        return INTERRUPTED if wait else SUCCEEDED
    return SUCCEEDED if all(job.phase is Phase.SUCCEEDED for job in made) else FAILED


def _jobs_of(manifest: Path) -> list[Document]:
    """All of them, before one is submitted."""
    documents = read_documents(manifest)
    for document in documents:
        if document.kind != "ComputeJob":
            raise UserError(
                f"{document.place} is a {document.kind or 'document without a kind'}; a gateway "
                "takes ComputeJobs alone. Leave it out, or apply it with kubectl"
            )
    return documents


def _submitted(gateway: Gateway, document: Document, namespace: str) -> JobDetail:
    """Without a namespace of its own it goes to the gateway's."""
    own = document.key.namespace
    chosen = namespace or ("" if own == DEFAULT_NAMESPACE else own)
    return gateway.submit(document.key.name, document.body.get("spec") or {}, chosen)


def _awaited(gateway: Gateway, jobs: Sequence[JobDetail]) -> list[JobDetail]:
    """As they end, or as they were when somebody pressed Ctrl-C: they go on without us."""
    shown = Shown(jobs)
    try:
        asyncio.run(shown.follow(gateway))
    except KeyboardInterrupt:
        ids = " ".join(job.id for job in shown.latest.values() if job.phase not in FINISHED)
        said.print(f"going on without us: {ids}; `posthuman stop` ends it", markup=False)
    return list(shown.latest.values())


class Shown:
    """Jobs as a gateway told them last, for the same display as `posthuman run`."""

    def __init__(self, jobs: Sequence[JobDetail]) -> None:
        self.latest = {job.id: job for job in jobs}
        self._watch = Watch(self, said)

    def all(self, kind: type[Seen]) -> list[Seen]:
        """What the display asks for."""
        if kind is not ComputeJob:
            return []
        return [typed(job) for job in self.latest.values()]

    async def follow(self, gateway: Gateway) -> None:
        """Until all have finished."""
        async with self._watch.shown():
            while ids := [job.id for job in self.latest.values() if job.phase not in FINISHED]:
                for job_id in ids:
                    self._see(await asyncio.to_thread(gateway.job, job_id))
                await asyncio.sleep(POLL_SECONDS)

    def _see(self, job: JobDetail) -> None:
        before, self.latest[job.id] = self.latest[job.id], job
        if (job.reason, job.message) != (before.reason, before.message):
            key = typed(job).metadata.key
            self._watch.tell(
                JobEvent(
                    kind="ComputeJob", key=key, uid=job.id, reason=job.reason, message=job.message
                )
            )


def typed(job: JobDetail) -> ComputeJob:
    """The object that the answer shows, as far as it shows it."""
    why = Condition(type="Succeeded", status="Unknown", reason=job.reason, message=job.message)
    told = job.progress
    progress = Progress(**msgspec.structs.asdict(told)) if told else None
    return ComputeJob(
        metadata=Meta(name=job.name, namespace=job.namespace),
        spec=msgspec.convert(job.spec, JobSpec),
        status=JobStatus(phase=job.phase, conditions=(why,), progress=progress),
    )
