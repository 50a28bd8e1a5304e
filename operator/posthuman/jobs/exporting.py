"""Export, wherever a workspace exists: logs of a failed job are kept too. Pure part of decide()."""

from __future__ import annotations

from typing import cast

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import Phase, Results
from posthuman.jobs.draft import Draft, Outcome
from posthuman.jobs.observed import CreateStep, DeleteStep, Observed
from posthuman.jobs.plans import anchor_of, results_prefix, wanted_export
from posthuman.jobs.publishing import follow_publication
from posthuman.jobs.running import end_pods
from posthuman.jobs.steps import Role, StepState

MAX_BACKOFF_SECONDS = 300.0
UPLOADING = "uploading outputs and logs"
WORKSPACE_LOST = (
    "the job's workspace was deleted by somebody else before its results were in the store; "
    "make the job anew"
)


def export(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """Once no pod of the job lives: upload, check, and go on to publishing."""
    if not draft.status.work_namespace and not seen.anchor:
        draft.conclude()
        return
    alive = end_pods(seen, environment, draft)
    if alive:
        wait_for_pods(draft, alive)
        return
    steps = seen.of_role(Role.EXPORT)
    if not steps and not seen.anchor:
        if draft.status.outcome == "Succeeded":  # who failed or was stopped did so before
            draft.settle("Failed", "WorkspaceLost", WORKSPACE_LOST)
        draft.conclude()
    elif not steps:
        _begin(seen, environment, draft, 1)
    elif steps[-1].state == "Succeeded" or _reported_outcome(steps[-1]):
        _exported(seen, draft, steps[-1])
    elif steps[-1].state == "Failed":
        _again(seen, environment, draft, steps[-1])
    else:
        reason = steps[-1].reason or "Exporting"
        draft.wait(Phase.EXPORTING, reason, steps[-1].message or UPLOADING)


def wait_for_pods(draft: Draft, alive: int) -> None:
    """Exporting begins when no other pod lives; until then the job is where it was."""
    phase = draft.status.phase or Phase.EXPORTING
    draft.wait(phase, "PodsEnding", f"{alive} pod(s) of the job are ending")


def _begin(seen: Observed, environment: ComputeEnvironment, draft: Draft, attempt: int) -> None:
    outcome = cast(Outcome, draft.status.outcome)
    step = wanted_export(seen, environment, attempt, outcome)
    draft.do(CreateStep(anchor_of(seen.job, environment), step))
    draft.wait(Phase.EXPORTING, "Exporting", UPLOADING)


def _again(seen: Observed, environment: ComputeEnvironment, draft: Draft, step: StepState) -> None:
    """A store that can't be reached heals: try again, ever more slowly, without a GPU."""
    report = step.report
    reason = (report.reason if report else "") or step.reason or "ExportFailed"
    message = (report.message if report else "") or step.message or "the export pod failed"
    pause = min(MAX_BACKOFF_SECONDS, 5.0 * 2 ** min(step.attempt, 10))
    waited = seconds_between(step.ended_at, timestamp(draft.now)) if step.ended_at else pause
    left = pause - waited
    if left > 0:
        draft.wait(Phase.EXPORTING, reason, f"{message}; it is tried again")
        draft.look_again(left)
        return
    _begin(seen, environment, draft, step.attempt + 1)
    for old in seen.of_role(Role.EXPORT)[:-1]:
        draft.do(DeleteStep(seen.work_namespace, old.name, 0))


def _exported(seen: Observed, draft: Draft, step: StepState) -> None:
    """Only the manifest is believed: it must be in the store, with the digest the pod reported."""
    if seen.manifest is None:
        draft.wait(Phase.EXPORTING, "ManifestMissing", "waiting to read the manifest back")
        draft.look_again(5)
        return
    details = step.report.details if step.report else {}
    prefix = results_prefix(seen.job)
    results = Results(
        uri=f"{_store_url(seen)}/{prefix}",
        prefix=prefix,
        manifest_digest=str(details.get("manifestDigest", "")),
        files=len(seen.manifest.files),
        bytes=sum(found.size for found in seen.manifest.files),
    )
    draft.update(results=results)
    draft.done("Exported", f"{results.files} file(s) are in the store, the manifest last")
    _correct_outcome(seen, seen.manifest, draft, step)
    job = msgspec.structs.replace(seen.job, status=draft.status)
    follow_publication(msgspec.structs.replace(seen, job=job), draft)


def _correct_outcome(seen: Observed, manifest: Manifest, draft: Draft, step: StepState) -> None:
    """What only the export can tell: nothing was written, too much was, or there's no model."""
    if draft.status.outcome != "Succeeded":
        return
    if manifest.outcome != "Succeeded" and step.report:
        draft.settle("Failed", step.report.reason, step.report.message)
    elif seen.job.spec.publish and manifest.model is None:
        draft.settle(
            "Failed",
            "NothingToPublish",
            "spec.publish asks for an asset, and the algorithm left no model that can be loaded "
            "(config.json and safetensors) in model/ below its outputs",
        )


def _reported_outcome(step: StepState) -> bool:
    """A user's error that export found (no output, too much of it): the manifest is written."""
    report = step.report
    return step.state == "Failed" and report is not None and "manifestDigest" in report.details


def _store_url(seen: Observed) -> str:
    return seen.environment.spec.store.url.rstrip("/") if seen.environment else ""
