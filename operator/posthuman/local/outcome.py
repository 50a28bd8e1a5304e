"""What became of what a person asked for, on a machine where nobody else will add anything. Pure.

On a cluster a job may wait for ever for an environment or an asset that somebody might still make;
here, what isn't there and that no job of this run makes never comes.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import Condition, Key
from posthuman.local.objects import Objects


class Ending(Enum):
    """How one object ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REFUSED = "Refused"  # before anything ran


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An ending, and the sentence that goes with it."""

    ending: Ending
    message: str = ""


def outcome_of_job(objects: Objects, job: ComputeJob) -> Outcome | None:
    """None while it may still come to an end by itself."""
    status = job.status
    if status.phase is Phase.SUCCEEDED:
        return Outcome(ending=Ending.SUCCEEDED)
    accepted = find_condition(status.conditions, "Accepted")
    refused = accepted is not None and accepted.status == "False"
    if status.phase in FINISHED:
        why = find_condition(status.conditions, "Succeeded")
        ending = Ending.REFUSED if refused else Ending.FAILED
        return Outcome(ending=ending, message=why.message if why else str(status.phase))
    if accepted is not None and refused and _waits_in_vain(objects, job, accepted):
        return Outcome(ending=Ending.REFUSED, message=accepted.message)
    return _unpublishable(objects, job)


def outcome_of_asset(asset: ModelAsset) -> Outcome | None:
    """None while it may still be published."""
    conditions = asset.status.conditions
    if is_true(conditions, "Ready"):
        return Outcome(ending=Ending.SUCCEEDED)
    accepted = find_condition(conditions, "Accepted")
    if accepted is not None and accepted.status == "False":
        return Outcome(ending=Ending.REFUSED, message=accepted.message)
    return None


def _waits_in_vain(objects: Objects, job: ComputeJob, accepted: Condition) -> bool:
    if accepted.reason == "EnvironmentNotFound":
        return True
    wanted = [found.asset_ref for found in job.spec.inputs if found.asset_ref]
    return any(_never_comes(objects, Key(ref.namespace, ref.name)) for ref in wanted)


def _never_comes(objects: Objects, key: Key) -> bool:
    """There is no such asset and no job that will still make it, or it was refused."""
    asset = objects.find(ModelAsset, key)
    if asset is not None:
        ended = outcome_of_asset(asset)
        return ended is not None and ended.ending is not Ending.SUCCEEDED
    maker = objects.find(ComputeJob, key)
    return maker is None or not maker.spec.publish or outcome_of_job(objects, maker) is not None


def _unpublishable(objects: Objects, job: ComputeJob) -> Outcome | None:
    """Its model is trained, but its asset is refused: nobody will edit it during this run."""
    asset = objects.find(ModelAsset, job.metadata.key)
    if job.status.phase is not Phase.PUBLISHING or asset is None:
        return None
    ended = outcome_of_asset(asset)
    if ended is None or ended.ending is Ending.SUCCEEDED:
        return None
    return Outcome(ending=Ending.FAILED, message=ended.message)
