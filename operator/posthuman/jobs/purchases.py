"""A job's orders, looked up: the chain for what was bought, the cluster for who uses it.

Only for a job that isn't accepted yet, and for one that gives its claims up. A fault of the chain
is a reason to wait, never to fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob, JobInput
from posthuman.api.meta import FINALIZER
from posthuman.assets.ancestry import ReaderOf
from posthuman.assets.clear_ddo import clear_text
from posthuman.assets.services import ServiceFacts, services_in
from posthuman.chain import CreatedNFT, Order
from posthuman.chain_ports import ChainReader
from posthuman.environments.purchase import Purchase, order_id, to_be_paid
from posthuman.environments.verdict import Refusal, Waiting
from posthuman.errors import PosthumanError, TransientError, UserError
from posthuman.jobs.orders import claim_names, is_held, settled
from posthuman.jobs.receipts import StoreOf
from posthuman.ports import Clock, Cluster, OrderClaim


class Purchases:
    """Reads; what is decided on them is in environments/orders.py and jobs/orders.py."""

    def __init__(
        self, cluster: Cluster, store_of: StoreOf, reader_of: ReaderOf, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._store_of = store_of
        self._reader_of = reader_of
        self._clock = clock

    async def look(
        self,
        job: ComputeJob,
        environment: ComputeEnvironment | None,
        assets: Mapping[str, ModelAsset | None],
    ) -> dict[str, Purchase | Waiting]:
        """By input, of those that need an order."""
        if environment is None:
            return {}
        given = {found.name: found for found in job.spec.inputs}
        return {
            name: await self._purchase(job, environment, given[name], asset)
            for name, asset in to_be_paid(job, environment, assets).items()
        }

    async def held(self, job: ComputeJob) -> Sequence[OrderClaim]:
        """Of a job at its end: the claims that it may have taken. Raises TransientError."""
        over = job.metadata.deletion_timestamp or job.status.phase in FINISHED
        if not over or FINALIZER not in job.metadata.finalizers:
            return ()
        names = claim_names(job.status.orders)
        return [await self._cluster.order_claim(name) for name in names]

    async def _purchase(
        self,
        job: ComputeJob,
        environment: ComputeEnvironment,
        given: JobInput,
        asset: ModelAsset,
    ) -> Purchase | Waiting:
        try:
            reader = await self._reader_of(environment)
            owner = await reader.nft_owner(asset.status.nft)
            if owner.lower() == job.spec.owner.lower() or given.order is None:
                return Purchase(nft_owner=owner)
            creation = await reader.creation(asset.status.did)
            if creation is None or not asset.status.datatoken:
                return _not_on_chain(given, asset)
            services, order = await asyncio.gather(
                self._services(environment, reader, creation),
                _order(reader, given.order.tx_id, asset.status.datatoken),
            )
            return Purchase(
                nft_owner=owner,
                services=services,
                order=order,
                claim=await self._claim(job, order),
                read_at=int(self._clock.now().timestamp()),
            )
        except PosthumanError as error:
            told = f'input "{given.name}": its order can\'t be looked up: {error}'
            return Waiting(error.reason, told)

    async def _services(
        self, environment: ComputeEnvironment, reader: ChainReader, creation: CreatedNFT
    ) -> tuple[ServiceFacts, ...]:
        """As its owner offers them now. Raises TransientError where only he can read that."""
        current = await reader.current_ddo(creation)
        text = await clear_text(current, await self._store_of(environment))
        if current and current.encrypted and not text:
            raise TransientError(
                "the asset's metadata is encrypted, and its clear text is not here; its owner can "
                "set it in clear",
                "MetadataUnreadable",
            )
        return services_in(text)

    async def _claim(self, job: ComputeJob, order: Order | Refusal | None) -> OrderClaim:
        if not isinstance(order, Order):
            return OrderClaim(order_id="")
        claim = await self._cluster.order_claim(order_id(order))
        if claim.holder_uid in ("", job.metadata.uid):
            return claim
        holder = await self._holder(claim)
        return claim if is_held(holder) else settled(claim, holder, self._clock.now())

    async def _holder(self, claim: OrderClaim) -> ComputeJob | None:
        """A job that no cache shows is asked for in person: it may be newer than the cache."""
        for fresh in (False, True):
            found = await self._cluster.job(claim.holder, fresh=fresh)
            if found and found.metadata.uid == claim.holder_uid:
                return found
        return None


async def _order(reader: ChainReader, tx_id: str, datatoken: str) -> Order | Refusal | None:
    try:
        return await reader.order(tx_id, datatoken)
    except UserError as error:
        if error.reason != "OrderForOtherAsset":
            raise
        return Refusal(error.reason, f"{error}, and make the job anew with it")


def _not_on_chain(given: JobInput, asset: ModelAsset) -> Waiting:
    return Waiting(
        "AssetNotOnChain",
        f'input "{given.name}": the chain\'s node knows no {asset.status.did}; it may lag',
    )
