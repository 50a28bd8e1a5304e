"""What an algorithm is told by its environment: Ocean's names, and ours beside them. Pure."""

from __future__ import annotations

import json

from posthuman.api.environment import ComputeEnvironment
from posthuman.jobs.observed import Observed
from posthuman.jobs.sources import CODE_PATH, brings_code, input_folder, is_oceans, short


def variables_of(seen: Observed, environment: ComputeEnvironment, attempt: int) -> dict[str, str]:
    """Ocean's names for what an algorithm sees, and ours beside them."""
    job = seen.job
    folders = {one.name: f"/data/inputs/{input_folder(one, job)}" for one in job.spec.inputs}
    dids = [found.did for found in job.status.inputs if found.did]
    return {
        "VOLUME": "/data",
        "INPUTS": "/data/inputs",
        "OUTPUTS": "/data/outputs",
        "LOGS": "/data/logs",
        "DIDS": json.dumps([short(did) for did in dids] if is_oceans(job) else dids),
        "TRANSFORMATION_DID": short(job.spec.algorithm.did),
        **({"secret": ""} if is_oceans(job) else {}),
        **({"ALGO": CODE_PATH} if brings_code(job) else {}),
        "SCRATCH": "/data/scratch",
        "POSTHUMAN_INPUTS": json.dumps(folders),
        "POSTHUMAN_ATTEMPT": str(attempt),
        **_permissions(environment),
    }


def _permissions(environment: ComputeEnvironment) -> dict[str, str]:
    """What the admin allows an algorithm to do with a stranger's files."""
    policy = environment.spec.policy
    allowed = {
        "POSTHUMAN_ALLOW_PICKLES": policy.allow_pickles,
        "POSTHUMAN_ALLOW_REMOTE_CODE": policy.allow_remote_code,
    }
    return {name: "1" for name, is_allowed in allowed.items() if is_allowed}
