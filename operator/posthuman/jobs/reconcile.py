"""The level-triggered loop of a job: observe → decide → act → one status write, then the story.

It keeps no memory that matters: `_underway` only bridges the moment between a decision and its
write, so that two jobs can't both take the last free place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import FINALIZER, Key
from posthuman.assets.ancestry import Ancestry, ReaderOf
from posthuman.assets.trust import Custody
from posthuman.errors import Conflict, NotFound, PosthumanError
from posthuman.jobs.attempts import open_attempt
from posthuman.jobs.custody import custody_dids
from posthuman.jobs.decide import decide
from posthuman.jobs.draft import Draft
from posthuman.jobs.input_assets import InputAssets
from posthuman.jobs.listings import Listings
from posthuman.jobs.observed import (
    Action,
    AddFinalizer,
    CreateAnchor,
    CreateAsset,
    CreateStep,
    Decision,
    DeleteAnchor,
    DeleteAsset,
    DeleteJob,
    DeleteResults,
    DeleteStep,
    DropFinalizer,
    DropPrivate,
    Observed,
    PutReceipt,
    SaveClaim,
    Settings,
)
from posthuman.jobs.plans import base_name, results_prefix, step_name
from posthuman.jobs.private import PrivateParts, ProviderOf
from posthuman.jobs.purchases import Purchases
from posthuman.jobs.receipts import Receipts, SignerOf, StoreOf
from posthuman.jobs.republishing import asks_again
from posthuman.jobs.retention import points_into, seconds_left
from posthuman.jobs.steps import Role, StepState
from posthuman.jobs.story import story
from posthuman.ports import Clock, Cluster


class JobReconciler:
    """Brings one job a pass nearer to its end; safe to call at any time, any number of times."""

    def __init__(
        self,
        cluster: Cluster,
        store_of: StoreOf,
        signer_of: SignerOf,
        reader_of: ReaderOf,
        clock: Clock,
        settings: Settings,
        provider_of: ProviderOf,
    ) -> None:
        self._cluster = cluster
        self._store_of = store_of
        self._receipts = Receipts(store_of, signer_of)
        self._ancestry = Ancestry(reader_of, store_of)
        self._inputs = InputAssets(cluster, store_of)
        self._listings = Listings(provider_of)
        self._private = PrivateParts(cluster, provider_of)
        self._purchases = Purchases(cluster, store_of, reader_of, clock)
        self._clock = clock
        self._settings = settings
        self._underway: dict[str, ComputeJob] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass; seconds until the next is due by itself. Raises TransientError."""
        job = await self._cluster.job(key)
        if job is None or FINALIZER not in job.metadata.finalizers:
            await self._sweep(key)
        if job is None:
            return None
        decision = decide(await self._observe(job), self._clock.now())
        decided = msgspec.structs.replace(job, status=decision.status)
        self._underway[job.metadata.uid] = decided
        try:
            await self._act(job, decision)
            await self._write(job, decided)
        except Conflict:
            raise
        except PosthumanError as error:
            await self._tell(job, error)
            raise
        finally:
            del self._underway[job.metadata.uid]
        return decision.requeue_after_seconds

    async def _tell(self, job: ComputeJob, error: PosthumanError) -> None:
        """Why the job isn't further, where the world refuses what it needs (a quota, say). Once a
        reason: the write wakes the job, which must not have it tried without a pause."""
        known = find_condition(job.status.conditions, "Succeeded")
        over = job.status.phase in FINISHED or job.metadata.deletion_timestamp
        if over or (known and known.reason == error.reason):
            return
        draft = Draft(job, self._clock.now())
        draft.wait(job.status.phase or Phase.PENDING, error.reason, str(error))
        await self._write(job, msgspec.structs.replace(job, status=draft.status))

    async def _sweep(self, key: Key) -> None:
        """Whoever may edit a job may take our finalizer from it: its pods must not run on."""
        for anchor in await self._cluster.strays(key):
            await self._cluster.delete_anchor(anchor.namespace, anchor.name)

    async def _observe(self, job: ComputeJob) -> Observed:
        environment = await self._cluster.environment(job.spec.environment_ref.name)
        seen = Observed(job=job, settings=self._settings, environment=environment)
        if environment is None:
            names = await self._cluster.environment_names()
            seen = msgspec.structs.replace(seen, environment_names=names)
        fallback = environment.spec.work_namespace if environment else ""
        namespace = job.status.work_namespace or fallback
        if namespace:
            seen = await self._with_children(seen, namespace)
        seen = await self._with_relatives(seen)
        receipt = await self._receipts.look(job, environment)
        return msgspec.structs.replace(seen, receipt=receipt)

    async def _with_children(self, seen: Observed, namespace: str) -> Observed:
        uid = seen.job.metadata.uid
        steps = await self._cluster.steps(namespace, uid)
        return msgspec.structs.replace(
            seen,
            work_namespace=namespace,
            anchor=await self._cluster.anchor_exists(namespace, base_name(seen.job)),
            steps=steps,
            missing=await self._missing(seen.job, namespace, steps),
            manifest=await self._manifest(seen, steps),
        )

    async def _with_relatives(self, seen: Observed) -> Observed:
        exported = seen.manifest is not None or seen.job.status.results is not None
        own = await self._own_asset(seen.job, exported)
        gone = own is None and seen.job.status.asset is not None
        missing = seen.missing | {seen.job.metadata.name} if gone else seen.missing
        assets = await self._inputs.look(seen.job)
        return msgspec.structs.replace(
            seen,
            own_asset=own,
            missing=missing,
            input_assets=assets,
            input_models=await self._inputs.models(seen, assets),
            custody=await self._custody(seen, assets),
            ddos=await self._listings.look(seen.job, seen.environment, assets),
            purchases=await self._purchases.look(seen.job, seen.environment, assets),
            claims=await self._purchases.held(seen.job),
            siblings=await self._siblings(seen.job),
            results_kept_by=await self._keepers(seen),
        )

    async def _keepers(self, seen: Observed) -> Sequence[Key]:
        """Assets whose files are this job's results; asked for once those may go."""
        left = seconds_left(seen.job, seen.environment, self._clock.now())
        if left is None or left > 0:
            return ()
        prefix = results_prefix(seen.job)
        assets = await self._cluster.assets_of(seen.job.spec.environment_ref.name)
        return tuple(one.metadata.key for one in assets if points_into(one, prefix))

    async def _missing(
        self, job: ComputeJob, namespace: str, steps: Sequence[StepState]
    ) -> frozenset[str]:
        """An open attempt's step that no cache shows is asked for in person."""
        attempt = open_attempt(job.status)
        if attempt is None:
            return frozenset()
        name = step_name(job, Role.RUN, attempt.number)
        if any(step.name == name for step in steps):
            return frozenset()
        found = await self._cluster.step(namespace, name)
        return frozenset() if found else frozenset({name})

    async def _manifest(self, seen: Observed, steps: Sequence[StepState]) -> Manifest | None:
        """The manifest that a finished export left, if it has the digest that the pod reported."""
        exports = [step for step in steps if step.role is Role.EXPORT]
        exports.sort(key=lambda step: step.attempt)
        reported = [step.report.details.get("manifestDigest") for step in exports if step.report]
        if seen.environment is None or not any(reported) or seen.job.status.results:
            return None
        store = await self._store_of(seen.environment)
        try:
            manifest, digest = await store.manifest(results_prefix(seen.job))
        except NotFound:
            return None
        return manifest if digest == reported[-1] else None

    async def _own_asset(self, job: ComputeJob, exported: bool) -> ModelAsset | None:
        """From the end of the export on; its absence is asked for in person."""
        over = job.status.phase in FINISHED and not asks_again(job)
        if not job.spec.publish or not exported or over:
            return None
        return await self._cluster.asset(job.metadata.key) or await self._cluster.asset(
            job.metadata.key, fresh=True
        )

    async def _custody(self, seen: Observed, assets: Mapping[str, ModelAsset | None]) -> Custody:
        """Of an environment that can tell: without a chain nothing was published in it."""
        environment, dids = seen.environment, custody_dids(seen.job, assets)
        if environment is None or environment.spec.chain is None or not dids:
            return Custody()
        if not is_true(environment.status.conditions, "Ready"):
            return Custody()
        return await self._ancestry.look(environment, dids, seen.job.spec.algorithm.did)

    async def _siblings(self, job: ComputeJob) -> Sequence[ComputeJob]:
        """Jobs of the environment, as decided; read last and only while this one waits."""
        status = job.status
        if status.outcome or status.phase in FINISHED or open_attempt(status):
            return ()
        found = await self._cluster.jobs_of(job.spec.environment_ref.name)
        return tuple(self._underway.get(other.metadata.uid, other) for other in found)

    async def _act(self, job: ComputeJob, decision: Decision) -> None:
        steps = [action.step for action in decision.actions if isinstance(action, CreateStep)]
        await self._private.check(job, steps)
        for action in decision.actions:
            await self._perform(job, action)

    async def _perform(self, job: ComputeJob, action: Action) -> None:
        cluster, key = self._cluster, job.metadata.key
        match action:
            case AddFinalizer():
                await cluster.set_finalizer("ComputeJob", key, True)
            case DropFinalizer():
                await cluster.set_finalizer("ComputeJob", key, False)
            case SaveClaim(claim):
                await cluster.save_order_claim(claim)
            case CreateAnchor(anchor):
                await cluster.create_anchor(anchor)
            case DeleteAnchor(namespace, name):
                await cluster.delete_anchor(namespace, name)
            case CreateStep(anchor, step):
                await self._private.make(anchor, step)
                await cluster.create_step(anchor, step)
            case DropPrivate(anchor, step_name, environment):
                await self._private.drop(anchor, step_name, environment)
            case DeleteStep(namespace, name, grace_seconds):
                await cluster.delete_step(namespace, name, grace_seconds)
            case CreateAsset(asset):
                await cluster.create_asset(asset)
            case DeleteAsset(asset_key):
                await cluster.delete_asset(asset_key)
            case PutReceipt():
                await self._receipts.put(action)
            case DeleteResults(environment, prefix):
                await (await self._store_of(environment)).delete_prefix(prefix)
            case DeleteJob():
                await cluster.delete_job(key)

    async def _write(self, job: ComputeJob, decided: ComputeJob) -> None:
        if decided.status == job.status:
            return
        await self._cluster.write_job(decided)
        for event in story(job, decided.status):
            await self._cluster.emit(event)
