"""A publication that was given up begins anew when a person asks for it. Pure part of decide().

The annotation names the end that it takes back, by the job's finishedAt: asked once, it is done
once, and nothing has to be remembered. Parents, reward and the publication's id come from the same
record of the job as before, so whatever is on chain already is found there and not made again.
"""

from __future__ import annotations

from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import ANNOTATION_PUBLISH_AGAIN
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import Observed

LOOK_AGAIN_SECONDS = 2.0


def asks_again(job: ComputeJob) -> bool:
    """Whether this end is taken back; it overrules spec.stop, which brought the end about."""
    named = job.metadata.annotations.get(ANNOTATION_PUBLISH_AGAIN, "")
    return bool(named) and named == job.status.finished_at


def publish_again(seen: Observed, draft: Draft) -> bool:
    """Whether a finished job goes back to Publishing: its results are there, its asset isn't. The
    receipt is signed anew at the new end, since it names the asset."""
    job, status = seen.job, seen.job.status
    has_model = status.results is not None and status.outcome == "Succeeded"
    if not asks_again(job) or job.spec.publish is None or not has_model:
        return False
    if seen.own_asset and seen.own_asset.spec.job_uid == job.metadata.uid:
        if seen.own_asset.metadata.deletion_timestamp:
            draft.look_again(LOOK_AGAIN_SECONDS)
        return False
    draft.update(asset=None, receipt=None)
    draft.condition("Published", "False", "Publishing", "it is published anew, as was asked")
    draft.condition("Signed", "Unknown", "Publishing", "the receipt follows the publication")
    draft.wait(Phase.PUBLISHING, "Publishing", "the model is published anew, as was asked")
    return True
