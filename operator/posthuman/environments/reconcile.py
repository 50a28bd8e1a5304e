"""The level-triggered loop of an environment: look at what it rests on, count, write once.

Its parts are probed at most every RECHECK_SECONDS, by the environment's own timer; what is in use
is counted anew on every pass. A finalizer keeps it while an unfinished job or asset refers to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true, set_condition
from posthuman.api.environment import ComputeEnvironment, EnvironmentStatus, GpuUse, SealKind
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import FINALIZER, Condition, Key
from posthuman.chain_ports import Ledger, Provider
from posthuman.environments.capacity import gpus, is_running, total_gpus
from posthuman.errors import PosthumanError
from posthuman.ports import Clock, Cluster, ResultStore

RECHECK_SECONDS = 60.0
BUSY_RECHECK_SECONDS = 10.0  # what is in use is counted this often; reads come from the cache
UNWELL_RECHECK_SECONDS = 5.0  # our own status write wakes us: what is wrong isn't asked again then
MINIMUM_BALANCE_WEI = 10**16  # about what a few publications cost

StoreOf = Callable[[ComputeEnvironment], Awaitable[ResultStore]]
LedgerOf = Callable[[ComputeEnvironment], Awaitable[Ledger]]
ProviderOf = Callable[[ComputeEnvironment], Awaitable[Provider]]
ObserveBalance = Callable[[int, str, int], None]  # chain id, signer, wei


class Part(msgspec.Struct, frozen=True):
    """What was seen of one thing that the environment rests on."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


class Probe(msgspec.Struct, frozen=True):
    """All parts at one time, of one generation of the environment."""

    uid: str
    generation: int
    at: datetime
    signer: str
    consumer: str
    parts: tuple[Part, ...]

    def still_holds(self, environment: ComputeEnvironment, now: datetime) -> bool:
        """Young enough, and of this generation."""
        well = all(part.status != "False" for part in self.parts)
        limit = RECHECK_SECONDS if well else UNWELL_RECHECK_SECONDS
        young = (now - self.at).total_seconds() < limit
        metadata = environment.metadata
        return young and (self.uid, self.generation) == (metadata.uid, metadata.generation)


class EnvironmentReconciler:
    """Writes an environment's conditions and what is in use."""

    def __init__(
        self,
        cluster: Cluster,
        store_of: StoreOf,
        ledger_of: LedgerOf,
        provider_of: ProviderOf,
        clock: Clock,
        observe_balance: ObserveBalance,
    ) -> None:
        self._cluster = cluster
        self._store_of = store_of
        self._ledger_of = ledger_of
        self._provider_of = provider_of
        self._clock = clock
        self._observe_balance = observe_balance
        self._probes: dict[Key, Probe] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass; seconds until the parts are probed again."""
        environment = await self._cluster.environment(key.name)
        if environment is None:
            return None
        jobs = await self._cluster.jobs_of(key.name)
        assets = await self._cluster.assets_of(key.name)
        if environment.metadata.deletion_timestamp:
            return await self._release(environment, jobs, assets)
        if FINALIZER not in environment.metadata.finalizers:
            await self._cluster.set_finalizer("ComputeEnvironment", key, True)
            return None
        probe = await self._probe(environment)
        status = revised(environment, probe, jobs, self._clock.now())
        if status != environment.status:
            await self._cluster.write_environment(
                msgspec.structs.replace(environment, status=status)
            )
        quiet = is_true(status.conditions, "Ready") and not in_use(jobs, assets)
        return RECHECK_SECONDS if quiet else BUSY_RECHECK_SECONDS

    async def _release(
        self,
        environment: ComputeEnvironment,
        jobs: Sequence[ComputeJob],
        assets: Sequence[ModelAsset],
    ) -> float | None:
        """It goes once nothing unfinished refers to it."""
        if in_use(jobs, assets):
            return BUSY_RECHECK_SECONDS
        await self._cluster.set_finalizer("ComputeEnvironment", environment.metadata.key, False)
        return None

    async def _probe(self, environment: ComputeEnvironment) -> Probe:
        """The parts as last seen, if it is not long ago; else anew."""
        key = environment.metadata.key
        last = self._probes.get(key)
        if last is not None and last.still_holds(environment, self._clock.now()):
            return last
        signer, chain = await self._chain(environment)
        consumer, bought = await self._consumer(environment)
        parts = [await self._namespace(environment), await self._store(environment), *chain]
        parts += [*bought, seal(environment)]
        uid, generation = environment.metadata.uid, environment.metadata.generation
        probe = Probe(uid, generation, self._clock.now(), signer, consumer, tuple(parts))
        self._probes[key] = probe
        return probe

    async def _namespace(self, environment: ComputeEnvironment) -> Part:
        name = environment.spec.work_namespace
        if await self._cluster.namespace_prepared(name):
            return Part("WorkNamespacePrepared", "True", "Prepared", f"{name} is prepared")
        return Part(
            "WorkNamespacePrepared",
            "False",
            "NotPrepared",
            f'namespace "{name}" is not prepared; add it to the chart\'s workNamespaces',
        )

    async def _store(self, environment: ComputeEnvironment) -> Part:
        try:
            await (await self._store_of(environment)).check()
        except PosthumanError as error:
            return Part("StoreReachable", "False", error.reason, str(error))
        return Part("StoreReachable", "True", "Reachable", environment.spec.store.url)

    async def _chain(self, environment: ComputeEnvironment) -> tuple[str, list[Part]]:
        chain = environment.spec.chain
        if chain is None:
            return "", []
        try:
            ledger = await self._ledger_of(environment)
            await ledger.check()
            balance_wei = await ledger.balance_wei()
            self._observe_balance(chain.chain_id, ledger.signer, balance_wei)
        except PosthumanError as error:
            return "", [Part("ChainReachable", "False", error.reason, str(error))]
        reachable = Part("ChainReachable", "True", "Reachable", f"chain {chain.chain_id}")
        return ledger.signer, [reachable, await _funded(ledger, balance_wei)]

    async def _consumer(self, environment: ComputeEnvironment) -> tuple[str, list[Part]]:
        """In whose name jobs download what was bought elsewhere."""
        chain = environment.spec.chain
        if chain is None or chain.consumer_key_secret is None:
            return "", []
        try:
            provider = await self._provider_of(environment)
        except PosthumanError as error:
            return "", [Part("ConsumerKeyReadable", "False", error.reason, str(error))]
        return provider.consumer, [
            Part("ConsumerKeyReadable", "True", "Readable", f"jobs download as {provider.consumer}")
        ]


async def _funded(ledger: Ledger, balance_wei: int) -> Part:
    """Whether the signer can sign, and pay."""
    try:
        await ledger.check_signer()
    except PosthumanError as error:
        return Part("SignerFunded", "False", error.reason, str(error))
    return purse(ledger.signer, balance_wei)


def purse(signer: str, balance_wei: int) -> Part:
    """Whether the signer can pay for publications."""
    if balance_wei >= MINIMUM_BALANCE_WEI:
        return Part("SignerFunded", "True", "Funded", f"{signer} can pay for publications")
    return Part(
        "SignerFunded",
        "False",
        "PurseEmpty",
        f"{signer} holds {balance_wei} wei; send it at least {MINIMUM_BALANCE_WEI}",
    )


def seal(environment: ComputeEnvironment) -> Part:
    """Whether workers are closed in, as far as the operator can tell."""
    if environment.spec.seal in (SealKind.IN_POD, SealKind.BOTH):
        return Part("SealEnforced", "True", "InPod", "each worker closes its own network")
    return Part(
        "SealEnforced",
        "Unknown",
        "NetworkPolicy",
        "NetworkPolicies protect only where the CNI enforces them; choose seal InPod or Both "
        "where yours doesn't",
    )


def revised(
    environment: ComputeEnvironment,
    probe: Probe,
    jobs: Sequence[ComputeJob],
    now: datetime,
) -> EnvironmentStatus:
    """The status with fresh parts, readiness and counts. Pure."""
    conditions = environment.status.conditions
    for part in [*probe.parts, readiness(probe.parts)]:
        new = Condition(
            type=part.type,
            status=part.status,
            reason=part.reason,
            message=part.message,
            observed_generation=environment.metadata.generation,
        )
        conditions = set_condition(conditions, new, now)
    return EnvironmentStatus(
        observed_generation=environment.metadata.generation,
        conditions=conditions,
        gpus=GpuUse(
            total=total_gpus(environment), used=sum(gpus(job) for job in jobs if is_running(job))
        ),
        running_jobs=sum(is_running(job) for job in jobs),
        queued_jobs=sum(job.status.phase is Phase.QUEUED for job in jobs),
        signer=probe.signer,
        consumer_address=probe.consumer,
    )


def readiness(parts: Sequence[Part]) -> Part:
    """Ready, or the first part that isn't."""
    missing = next((part for part in parts if part.status == "False"), None)
    if missing is None:
        return Part("Ready", "True", "Ready", "jobs can run here")
    return Part("Ready", "False", missing.reason, missing.message)


def in_use(jobs: Sequence[ComputeJob], assets: Sequence[ModelAsset]) -> bool:
    """An unfinished job or publication refers to the environment."""
    publishing = any(_publishing(asset) for asset in assets)
    return publishing or any(job.status.phase not in FINISHED for job in jobs)


def _publishing(asset: ModelAsset) -> bool:
    ready = find_condition(asset.status.conditions, "Ready")
    return bool(asset.status.transactions) and (ready is None or ready.status != "True")
