"""DDOs of what a job buys elsewhere, looked up until the job is staged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.environments.bought import bought, own_inputs
from posthuman.errors import NotFound
from posthuman.jobs.private import ProviderOf


class Listings:
    """Asks the environment's provider for them."""

    def __init__(self, provider_of: ProviderOf) -> None:
        self._provider_of = provider_of

    async def look(
        self,
        job: ComputeJob,
        environment: ComputeEnvironment | None,
        assets: Mapping[str, ModelAsset | None],
    ) -> dict[str, Mapping[str, Any]]:
        """By DID; without those that nobody knows. Raises TransientError, UserError."""
        dids = {named.did for named in bought(job, _own(job, assets))}
        if environment is None or not dids or _is_over(job) or not _buys(environment):
            return {}
        provider = await self._provider_of(environment)
        found: dict[str, Mapping[str, Any]] = {}
        for did in sorted(dids):
            try:
                found[did] = await provider.ddo(did)
            except NotFound:
                continue  # the rules say so, and wait
        return found


def _own(job: ComputeJob, assets: Mapping[str, ModelAsset | None]) -> frozenset[str]:
    """Inputs that are assets of this environment: as they are now, then as they were accepted."""
    if is_true(job.status.conditions, "Accepted"):
        return own_inputs(job)
    return frozenset(name for name, asset in assets.items() if asset)


def _is_over(job: ComputeJob) -> bool:
    status = job.status
    staged = is_true(status.conditions, "Staged")
    return staged or bool(status.outcome) or status.phase in FINISHED


def _buys(environment: ComputeEnvironment) -> bool:
    chain = environment.spec.chain
    ready = is_true(environment.status.conditions, "Ready")
    return bool(ready and chain and chain.provider_url and chain.consumer_key_secret)
