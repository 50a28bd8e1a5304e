"""`posthuman publish --job`: a publication that was given up begins anew, by the operator.

A person can't make such an asset themself: its parents and reward are the operator's to set, from
its own record of the job. So they only ask, with an annotation on their job.
"""

from __future__ import annotations

import asyncio
import json

from posthuman.api.conditions import find_condition
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.cli.ending import SUCCEEDED
from posthuman.cli.person import ask_to_publish_again, read_job
from posthuman.errors import UserError


def publish_job_again(namespace: str, name: str, context: str, as_json: bool) -> int:
    """Ask, and print how to follow it. Raises UserError, Conflict, TransientError."""
    job = asyncio.run(_asked(namespace, name, context))
    if as_json:
        facts = {"job": f"{namespace}/{name}", "finishedAt": job.status.finished_at}
        print(json.dumps({**facts, "publishing": True}, indent=2))
    else:
        print(
            f"{namespace}/{name} is published anew, under the same publication id; what is on "
            "chain already is kept. Follow it:\n"
            f"  kubectl get computejob {name} -n {namespace} -w"
        )
    return SUCCEEDED


async def _asked(namespace: str, name: str, context: str) -> ComputeJob:
    job = await read_job(namespace, name, context)
    _check(job)
    await ask_to_publish_again(job, context)
    return job


def _check(job: ComputeJob) -> None:
    """Raises UserError where the operator would do nothing."""
    said, status = f"job {job.metadata.key}", job.status
    why = find_condition(status.conditions, "Succeeded")
    if job.spec.publish is None:
        raise UserError(
            f"{said} has no spec.publish: to publish its model, make a ModelAsset of "
            "status.results (prefix, manifestDigest)"
        )
    if status.phase not in FINISHED:
        raise UserError(
            f"{said} isn't over yet ({status.phase or 'Pending'}): it goes on by itself"
        )
    if status.results is None or status.outcome != "Succeeded":
        raise UserError(
            f"{said} has no model that could be published: {why.message if why else ''}"
        )
