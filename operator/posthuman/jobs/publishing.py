"""Publishing: the job's model becomes a ModelAsset, which the job follows. Pure part of decide().

A fault of publication never fails a job: it stays Publishing with the reason, and heals. Only
`stop`, or the deletion of its asset, ends it. The asset's own life is in posthuman.assets.
"""

from __future__ import annotations

from posthuman.api.asset import AssetMetadata, AssetSpec, ModelAsset, Reward, Source
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.job import Phase, PublishedAsset, PublishSpec, Results
from posthuman.api.meta import Meta, NamedRef
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import CreateAsset, DeleteAnchor, DeleteAsset, Observed
from posthuman.jobs.plans import base_name
from posthuman.jobs.republishing import asks_again


def publish(seen: Observed, draft: Draft) -> None:
    """The results are on record: free the workspace, and go on."""
    if seen.anchor:
        draft.do(DeleteAnchor(seen.work_namespace, base_name(seen.job)))
    follow_publication(seen, draft)


def follow_publication(seen: Observed, draft: Draft) -> None:
    """Publish if asked for, else finish as the outcome says."""
    wanted, results = seen.job.spec.publish, draft.status.results
    if wanted is None or results is None or draft.status.outcome != "Succeeded":
        draft.conclude()
    elif seen.own_asset is None:
        _begin(seen, draft, wanted, results)
    elif seen.own_asset.spec.job_uid != seen.job.metadata.uid:
        _name_taken(seen, draft)
    else:
        _follow(seen, draft, seen.own_asset)


def _begin(seen: Observed, draft: Draft, wanted: PublishSpec, results: Results) -> None:
    if draft.status.asset is not None:
        if draft.status.asset.name in seen.missing:
            _abandon(draft, "its ModelAsset was deleted")
        else:
            draft.look_again(2)
        return
    if _is_stopped(seen):
        _abandon(draft, "stopped before its asset was made")
        return
    draft.do(CreateAsset(_asset(seen, wanted, results)))
    draft.update(asset=PublishedAsset(name=seen.job.metadata.name))
    draft.condition("Published", "False", "Publishing", "the asset is being made")
    draft.wait(Phase.PUBLISHING, "Publishing", "the model is being published on chain")


def _follow(seen: Observed, draft: Draft, asset: ModelAsset) -> None:
    draft.update(asset=PublishedAsset(name=asset.metadata.name, did=asset.status.did))
    if is_true(asset.status.conditions, "Ready"):
        draft.done("Published", f"published as {asset.status.did}")
        draft.finish(Phase.SUCCEEDED, "Published", f"published as {asset.status.did}")
        return
    if _is_stopped(seen):
        draft.do(DeleteAsset(asset.metadata.key))
        _abandon(draft, "stopped as spec.stop asks")
        return
    why = find_condition(asset.status.conditions, "Ready")
    reason, message = (why.reason, why.message) if why else ("Publishing", "not begun yet")
    draft.condition("Published", "False", reason, message)
    draft.wait(Phase.PUBLISHING, reason, message)


def _is_stopped(seen: Observed) -> bool:
    return seen.job.spec.stop and not asks_again(seen.job)


def _name_taken(seen: Observed, draft: Draft) -> None:
    """An asset of this name that isn't this job's is never adopted."""
    if _is_stopped(seen):
        _abandon(draft, "stopped as spec.stop asks")
        return
    name = f"{seen.job.metadata.namespace}/{seen.job.metadata.name}"
    message = (
        f"a ModelAsset {name} exists that this job didn't make; delete it to publish this "
        "model, or set spec.stop"
    )
    draft.update(asset=None)
    draft.condition("Published", "False", "AssetNameTaken", message)
    draft.wait(Phase.PUBLISHING, "AssetNameTaken", message)


def _abandon(draft: Draft, why: str) -> None:
    message = f"the publication was abandoned: {why}; the results are kept"
    draft.condition("Published", "False", "PublicationAbandoned", message)
    draft.finish(Phase.FAILED, "PublicationAbandoned", message)


def _asset(seen: Observed, wanted: PublishSpec, results: Results) -> ModelAsset:
    """Parents and reward come from the operator's own record of the job, from nowhere else. What a
    provider sold is no parent: nobody here has its custody."""
    job = seen.job
    kept_here = (found for found in job.status.inputs if found.did and found.prefix)
    parents = dict.fromkeys(found.did for found in kept_here)
    return ModelAsset(
        metadata=Meta(name=job.metadata.name, namespace=job.metadata.namespace),
        spec=AssetSpec(
            environment_ref=NamedRef(name=job.spec.environment_ref.name),
            owner=job.spec.owner,
            source=Source(prefix=results.prefix, manifest_digest=results.manifest_digest),
            metadata=AssetMetadata(
                name=wanted.name,
                description=wanted.description,
                license=wanted.license,
                author=wanted.author,
            ),
            parents=tuple(parents),
            reward=Reward(to=job.spec.owner, amount=wanted.reward),
            pricing=wanted.pricing,
            services=wanted.services,
            job_uid=job.metadata.uid,
        ),
    )
