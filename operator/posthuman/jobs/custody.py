"""Which published assets a job would be given: those whose lines are asked for trust. Pure.

They are asked until the job is accepted; for an algorithm whose files the stage step checks, until
it is staged.
"""

from __future__ import annotations

from collections.abc import Mapping

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.job import FINISHED, ComputeJob


def custody_dids(job: ComputeJob, assets: Mapping[str, ModelAsset | None]) -> dict[str, str]:
    """DIDs by input name; none once they don't matter any more."""
    conditions = job.status.conditions
    if not is_true(conditions, "Accepted"):
        ready = {name: found for name, found in assets.items() if found and _is_ready(found)}
        return {name: found.status.did for name, found in ready.items()}
    over = is_true(conditions, "Staged") or job.status.phase in FINISHED or job.status.outcome
    if over or not job.spec.algorithm.did:
        return {}
    return {found.name: found.did for found in job.status.inputs if found.prefix}


def _is_ready(asset: ModelAsset) -> bool:
    return is_true(asset.status.conditions, "Ready")
