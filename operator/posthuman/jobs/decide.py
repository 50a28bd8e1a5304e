"""What to do next for a job: observed world in, decision out. Pure and total.

No phase is a trigger: each pass looks at the whole world and finds the first part of the job's life
that isn't behind it (accept, stage, run, export, publish), so a lost event or a restart changes
nothing. Design: "A job's life".
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, InputRecord, JobInput, Phase
from posthuman.api.meta import FINALIZER
from posthuman.assets.trust import is_left_to_chain
from posthuman.environments.orders import LEFT_TO_TIME, order_records, orders_of
from posthuman.environments.policy import review, unknown_environment
from posthuman.environments.preflight import estimate_of
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal
from posthuman.jobs.draft import Draft
from posthuman.jobs.exporting import UPLOADING, export, wait_for_pods
from posthuman.jobs.observed import (
    AddFinalizer,
    Decision,
    DeleteAnchor,
    DeleteJob,
    DropFinalizer,
    Observed,
    SaveClaim,
)
from posthuman.jobs.orders import claim_names, claims_to_give_up, claims_to_take
from posthuman.jobs.plans import base_name
from posthuman.jobs.publishing import publish
from posthuman.jobs.republishing import publish_again
from posthuman.jobs.retention import expire
from posthuman.jobs.running import halt, living_pods, run
from posthuman.jobs.signing import sign_off
from posthuman.jobs.staging import stage

ORDER_RECHECK_SECONDS = 15.0  # no watch tells what happens on the chain


def decide(seen: Observed, now: datetime) -> Decision:
    """The next actions and the status of a job."""
    draft = Draft(seen.job, now)
    if seen.job.metadata.deletion_timestamp:
        _tear_down(seen, draft)
    elif draft.status.phase in FINISHED:
        _after_the_end(seen, draft)
    elif draft.holds("Exported"):
        publish(seen, draft)
    elif seen.environment is None:
        _without_environment(seen, draft)
    else:
        _live(seen, seen.environment, draft)
    return draft.decision()


def _live(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    if not draft.holds("Accepted") and not _accept(seen, environment, draft):
        return
    if FINALIZER not in seen.job.metadata.finalizers:
        draft.do(AddFinalizer())
        draft.status = seen.job.status  # the finalizer's write wakes us at a new resourceVersion
        return
    if draft.holds("Suspended") and not _halted(seen):
        draft.condition("Suspended", "False", "Resumed", "its time in the queue begins anew")
    if not draft.status.outcome and (seen.job.spec.stop or seen.job.spec.suspend):
        halt(_so_far(seen, draft), environment, draft)
    elif not draft.status.outcome and not draft.holds("Staged"):
        stage(_so_far(seen, draft), environment, draft)
    if not draft.status.outcome and draft.holds("Staged") and not _halted(seen):
        run(_so_far(seen, draft), environment, draft)
    if seen.job.status.outcome:
        export(seen, environment, draft)
    elif draft.status.outcome:
        _store_outcome(seen, draft)


def _store_outcome(seen: Observed, draft: Draft) -> None:
    """Stored before any pod is ended: a crash in between loses nothing."""
    if alive := living_pods(seen):
        wait_for_pods(draft, alive)
    else:
        draft.wait(Phase.EXPORTING, "Exporting", UPLOADING)


def _so_far(seen: Observed, draft: Draft) -> Observed:
    """The world with the job as this pass has written it until now."""
    job = msgspec.structs.replace(seen.job, status=draft.status)
    return msgspec.structs.replace(seen, job=job)


def _halted(seen: Observed) -> bool:
    return seen.job.spec.stop or seen.job.spec.suspend


def _accept(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> bool:
    """Policy, limits, inputs. A refusal ends the job before anything was made."""
    if seen.job.spec.stop:
        draft.update(outcome="Stopped")
        draft.finish(Phase.STOPPED, "Stopped", "stopped before it was accepted")
        return False
    request = Request(
        job=seen.job,
        environment=environment,
        assets=seen.input_assets,
        catalogue=seen.settings.catalogue,
        models=seen.input_models,
        custody=seen.custody,
        ddos=seen.ddos,
        purchases=seen.purchases,
        allow_files=bool(seen.settings.file_root),
    )
    verdict = review(request)
    if isinstance(verdict, Refusal):
        draft.refuse(verdict)
        return False
    if verdict is not None:
        draft.condition("Accepted", "False", verdict.reason, verdict.message)
        draft.wait_for(Phase.PENDING, verdict)
        ordered = verdict in seen.purchases.values() or verdict.reason in LEFT_TO_TIME
        if ordered or is_left_to_chain(verdict, seen.custody):
            draft.look_again(ORDER_RECHECK_SECONDS)
        return False
    if not _claim(seen, request, draft):
        return False
    draft.update(inputs=tuple(_record(seen, found) for found in seen.job.spec.inputs))
    told = f"accepted by environment {environment.metadata.name}"
    draft.done("Accepted", f"{told}; {note}" if (note := estimate_of(request)) else told)
    return True


def _claim(seen: Observed, request: Request, draft: Draft) -> bool:
    """Which orders the job is going to use is written first, then they are taken, then it is
    accepted: so it gives up what it took, wherever the operator dies."""
    orders = orders_of(request)
    records = order_records(orders)
    draft.update(orders=records)
    if claim_names(records) != claim_names(seen.job.status.orders):
        draft.wait(Phase.PENDING, "ClaimingOrders", "its orders are being marked as in use")
        return False
    if FINALIZER in seen.job.metadata.finalizers:
        taken = claims_to_take(seen.job, orders.values(), draft.now)
        draft.do(*(SaveClaim(claim) for claim in taken))
    return True


def _give_up_claims(seen: Observed, draft: Draft) -> None:
    """With the running time that the job had."""
    given_up = claims_to_give_up(seen.job, seen.claims, draft.now)
    draft.do(*(SaveClaim(claim) for claim in given_up))


def _record(seen: Observed, found: JobInput) -> InputRecord:
    """The input as it is now: what is fetched, and what the lineage will say."""
    asset = seen.input_assets.get(found.name)
    if asset is None:
        return InputRecord(name=found.name, kind=found.kind, did=found.did)
    source = asset.spec.source
    return InputRecord(
        name=found.name,
        kind=found.kind,
        did=asset.status.did,
        prefix=source.prefix,
        manifest_digest=source.manifest_digest,
    )


def _without_environment(seen: Observed, draft: Draft) -> None:
    """Before acceptance a wait with a sentence; after it the environment was taken away."""
    waiting = unknown_environment(seen.job.spec.environment_ref.name, seen.environment_names)
    if not draft.holds("Accepted"):
        draft.condition("Accepted", "False", waiting.reason, waiting.message)
    draft.wait_for(draft.status.phase or Phase.PENDING, waiting)
    if seen.job.spec.stop and not draft.holds("Accepted"):
        draft.update(outcome="Stopped")
        draft.finish(Phase.STOPPED, "Stopped", "stopped before it was accepted")


def _after_the_end(seen: Observed, draft: Draft) -> None:
    """The work namespace is cleared, the receipt is signed; the job itself goes when its time to
    live is over."""
    if publish_again(seen, draft):
        return
    _give_up_claims(seen, draft)
    if seen.anchor:
        draft.do(DeleteAnchor(seen.work_namespace, base_name(seen.job)))
    signed = sign_off(seen, draft)
    clear = signed and expire(seen, draft)
    if draft.status != seen.job.status:
        return  # its write wakes us again
    if not seen.anchor and FINALIZER in seen.job.metadata.finalizers:
        draft.do(DropFinalizer())
    ttl = seen.job.spec.ttl_seconds_after_finished
    if ttl is None or not clear:
        return  # without the job nobody would sign its receipt, or delete its results in time
    left = ttl - seconds_between(draft.status.finished_at, timestamp(draft.now))
    if left > 0:
        draft.look_again(left)
    else:
        draft.do(DeleteJob())


def _tear_down(seen: Observed, draft: Draft) -> None:
    """Deleted: first its pods and volume, then the finalizer. The published asset stays."""
    if FINALIZER not in seen.job.metadata.finalizers:
        return
    if seen.anchor or any(step.live_pods for step in seen.steps):
        draft.do(DeleteAnchor(seen.work_namespace, base_name(seen.job)))
        draft.look_again(5)
        return
    _give_up_claims(seen, draft)
    draft.do(DropFinalizer())
