"""Published assets that a job is given, and what their manifests say of the models in them."""

from __future__ import annotations

from collections.abc import Mapping

from jobkit.manifest import ModelFacts
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.job import ComputeJob, JobInput
from posthuman.api.meta import Key
from posthuman.errors import NotFound, UserError
from posthuman.jobs.observed import Observed
from posthuman.jobs.receipts import StoreOf
from posthuman.ports import Cluster, ResultStore


class InputAssets:
    """Looked up by input name, whether a job names an asset by its place or by its DID."""

    def __init__(self, cluster: Cluster, store_of: StoreOf) -> None:
        self._cluster, self._store_of = cluster, store_of

    async def look(self, job: ComputeJob) -> dict[str, ModelAsset | None]:
        """Needed until the job is accepted; after that its own record counts."""
        if is_true(job.status.conditions, "Accepted"):
            return {}
        named = [found for found in job.spec.inputs if found.asset_ref or found.did]
        return {found.name: await self._asset_of(job, found) for found in named}

    async def _asset_of(self, job: ComputeJob, found: JobInput) -> ModelAsset | None:
        """None, too, for a DID that is no asset of the environment."""
        if found.asset_ref:
            return await self._cluster.asset(Key(found.asset_ref.namespace, found.asset_ref.name))
        assets = await self._cluster.assets_of(job.spec.environment_ref.name)
        return next((asset for asset in assets if asset.status.did == found.did), None)

    async def models(
        self, seen: Observed, assets: Mapping[str, ModelAsset | None]
    ) -> dict[str, ModelFacts]:
        """Of published models, by their manifests in the store; needed as long as `assets` are."""
        environment, models = seen.environment, model_inputs(seen.job, assets)
        if environment is None or not models:
            return {}
        if not is_true(environment.status.conditions, "Ready"):
            return {}
        store = await self._store_of(environment)
        facts = {name: await _facts_of(store, asset) for name, asset in models.items()}
        return {name: found for name, found in facts.items() if found}


def model_inputs(job: ComputeJob, assets: Mapping[str, ModelAsset | None]) -> dict[str, ModelAsset]:
    """Published models that a built-in is given; nothing is known of what an image does."""
    if job.spec.algorithm.builtin is None:
        return {}
    models = {found.name for found in job.spec.inputs if found.kind == "model"}
    return {
        name: asset
        for name, asset in assets.items()
        if asset and name in models and is_true(asset.status.conditions, "Ready")
    }


async def _facts_of(store: ResultStore, asset: ModelAsset) -> ModelFacts | None:
    """None for files that aren't those that were published: staging says what is wrong."""
    source = asset.spec.source
    try:
        manifest, digest = await store.manifest(source.prefix.removesuffix("/"))
    except (NotFound, UserError):
        return None
    return manifest.model if digest == source.manifest_digest else None
