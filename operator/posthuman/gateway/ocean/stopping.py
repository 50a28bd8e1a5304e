"""PUT and DELETE /compute: a job ends at once; its logs and partial results are kept."""

from __future__ import annotations

from posthuman.api.job import ComputeJob
from posthuman.errors import Conflict, NotFound, TransientError
from posthuman.gateway.ocean.status import ANNOTATION_REMOVED
from posthuman.gateway.service import Gateway

TRIES = 5  # the operator writes the same object


async def stop(gateway: Gateway, job: ComputeJob, *, remove: bool = False) -> ComputeJob | None:
    """Ask for the job's end; None where it is gone. Again and again is the same. Raises
    TransientError where others write too fast."""
    annotations = {ANNOTATION_REMOVED: "true"} if remove else {}
    found: ComputeJob | None = job
    for last in (tries == TRIES for tries in range(1, TRIES + 1)):
        if found is None or _done(found, annotations):
            return found
        try:
            return await gateway.access.patch_job(found, stop=True, annotations=annotations)
        except NotFound:
            return None
        except Conflict as error:
            if last:  # not a conflict of the caller's: it may ask again
                raise TransientError(
                    f"job {job.metadata.name} changes too fast: {error}"
                ) from error
            found = await gateway.access.job(job.metadata.key)
    return found


def _done(job: ComputeJob, annotations: dict[str, str]) -> bool:
    return job.spec.stop and annotations.items() <= job.metadata.annotations.items()
