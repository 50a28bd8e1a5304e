"""Looks at an asset's world: its environment, its nonces, its transaction, the chain, its files.

What is looked at depends on where the publication stands, so that waiting costs two requests. The
first thing that hinders looking is remembered as the problem; decide() puts it into a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from posthuman.api.asset import ModelAsset, TransactionRecord
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import FINALIZER
from posthuman.assets.ancestry import ReaderOf, algorithm_asset
from posthuman.assets.bookkeeping import live_publications
from posthuman.assets.nonces import gaps, held_by
from posthuman.assets.observed import ChainFacts, Observed, Problem
from posthuman.assets.pacing import Heads, Idle
from posthuman.assets.publication_id import publication_id
from posthuman.assets.review import reward_wei
from posthuman.assets.service_ddo import trusted_dids
from posthuman.assets.steps import needs_manifest
from posthuman.assets.trust import AlgorithmFacts
from posthuman.chain import Receipt, SignerNonces
from posthuman.chain_ports import Ledger
from posthuman.errors import NotFound, PosthumanError, TransientError
from posthuman.ports import Cluster, NonceBook, ResultStore

StoreOf = Callable[[ComputeEnvironment], Awaitable[ResultStore]]
LedgerOf = Callable[[ComputeEnvironment], Awaitable[Ledger]]

TRANSIENT_RETRY_SECONDS = 5.0
OTHER_RETRY_SECONDS = 30.0


def lease_name(chain_id: int, signer: str) -> str:
    """The Lease of the one writer per signer and chain."""
    return f"posthuman-signer-{chain_id}-{signer.lower()}"


def problem_of(error: PosthumanError) -> Problem:
    """An error, as a condition says it."""
    transient = isinstance(error, TransientError)
    seconds = TRANSIENT_RETRY_SECONDS if transient else OTHER_RETRY_SECONDS
    return Problem(error.reason, str(error), seconds)


class Observer:
    """The effects of looking; it changes nothing but the Lease that it holds."""

    def __init__(
        self, cluster: Cluster, stores: StoreOf, ledgers: LedgerOf, readers: ReaderOf, heads: Heads
    ) -> None:
        self._cluster = cluster
        self._readers = readers
        self._stores = stores
        self._ledgers = ledgers
        self._heads = heads

    async def observe(
        self, asset: ModelAsset, idle: Idle | None = None, rested: bool = False
    ) -> tuple[Observed, Ledger | None]:
        """What is seen, and the ledger to act on if it could be opened. While `idle` is the
        latest, nothing more is looked at; what is at rest is only if `rested`. Raises
        TransientError for the Kubernetes API alone."""
        seen = Observed(asset=asset)
        if at_rest(asset) and not rested:
            return seen, None
        environment = await self._cluster.environment(asset.spec.environment_ref.name)
        if environment is None:
            return _troubled(seen, _no_environment(asset)), None
        seen = msgspec.structs.replace(seen, environment=environment)
        if environment.spec.chain is None:
            return seen, None
        try:
            ledger = await self._ledgers(environment)
        except PosthumanError as error:
            return _troubled(seen, error), None
        epoch = await self._cluster.hold_lease(lease_name(ledger.chain_id, ledger.signer))
        if not epoch:
            return msgspec.structs.replace(seen, standby=True), None
        seen = msgspec.structs.replace(seen, epoch=epoch)
        ours = asset.status.epoch == epoch
        if ours and idle and await self._is_latest(idle, ledger):
            return msgspec.structs.replace(seen, unchanged=True), ledger
        return await self._with_ledger(seen, environment, ledger), ledger

    async def _is_latest(self, idle: Idle, ledger: Ledger) -> bool:
        try:
            return await self._heads.is_latest(idle, ledger)
        except PosthumanError:
            return False  # the whole look tells why

    async def _with_ledger(
        self, seen: Observed, environment: ComputeEnvironment, ledger: Ledger
    ) -> Observed:
        book = await self._cluster.nonce_book(ledger.chain_id, ledger.signer)
        publication = publication_id(seen.asset, ledger.chain_id)
        seen = msgspec.structs.replace(seen, signer=ledger.signer, held=held_by(book, publication))
        if is_true(seen.asset.status.conditions, "Published") and not at_rest(seen.asset):
            return seen
        try:
            nonces = await ledger.nonces()
            _check_not_behind(seen.asset, nonces)
            seen = msgspec.structs.replace(seen, nonces=nonces)
            if at_rest(seen.asset):
                await ledger.nft_owner(seen.asset.status.nft)
                return msgspec.structs.replace(seen, nft_missing=False)
            seen = await self._on_chain(seen, publication, ledger, book)
            return await self._with_manifest(seen, environment)
        except PosthumanError as error:
            if error.reason == "ContractMissing" and seen.asset.status.nft:
                return msgspec.structs.replace(seen, nft_missing=True)
            return _troubled(seen, error)

    async def _on_chain(
        self, seen: Observed, publication: str, ledger: Ledger, book: NonceBook
    ) -> Observed:
        record, nonces = seen.open_record, seen.nonces
        if record is None or nonces is None:
            return msgspec.structs.replace(seen, facts=await _facts(seen, publication, ledger))
        if nonces.mined > record.nonce or not record.raw:  # before that there is no receipt
            seen = msgspec.structs.replace(seen, receipt=await _receipt(record, ledger))
        if seen.receipt is None and nonces.mined > record.nonce:
            seen = msgspec.structs.replace(seen, spent=await ledger.spent_by(record.nonce))
            return msgspec.structs.replace(seen, facts=await _facts(seen, publication, ledger))
        if seen.receipt is None and nonces.pending < record.nonce:
            live = await live_publications(self._cluster, ledger.chain_id)
            return msgspec.structs.replace(seen, gaps=gaps(book, live, record.nonce, nonces))
        return seen

    async def _with_manifest(self, seen: Observed, environment: ComputeEnvironment) -> Observed:
        if seen.open_record or not needs_manifest(seen):
            return seen
        store = await self._stores(environment)
        source = seen.asset.spec.source
        try:
            manifest, digest = await store.manifest(source.prefix.removesuffix("/"))
        except NotFound as error:
            raise NotFound(
                f"{source.prefix} in the environment's store holds no manifest.json; "
                "bring the files there with `posthuman upload`",
                "ManifestMissing",
            ) from error
        return msgspec.structs.replace(
            seen,
            manifest=manifest,
            manifest_digest=digest,
            algorithms=await self._algorithms(seen.asset, environment),
        )

    async def _algorithms(
        self, asset: ModelAsset, environment: ComputeEnvironment
    ) -> dict[str, AlgorithmFacts]:
        """Those that the DDO will name; what isn't on chain is left out."""
        dids = trusted_dids(asset, environment)
        if not dids:
            return {}
        reader, store = await self._readers(environment), await self._stores(environment)
        found = {did: await algorithm_asset(did, reader, store) for did in dids}
        return {did: facts for did, facts in found.items() if facts}


async def _receipt(record: TransactionRecord, ledger: Ledger) -> Receipt | None:
    """Of whichever of the step's bytes was mined."""
    hashes = (record.hash, *record.replaced)
    receipts = await asyncio.gather(*(ledger.receipt(found) for found in hashes))
    return next((found for found in receipts if found), None)


async def _facts(seen: Observed, publication: str, ledger: Ledger) -> ChainFacts:
    status = seen.asset.status
    if not status.nft:
        return ChainFacts(creation=await ledger.find(publication))
    reward, created = seen.asset.spec.reward, status.transactions[0].block
    wanted = reward is not None and reward_wei(seen.asset) > 0
    owner, has_metadata, minted_wei = await asyncio.gather(
        ledger.nft_owner(status.nft),
        ledger.has_metadata(status.nft),
        ledger.minted_wei(status.datatoken, reward.to, created) if reward and wanted else _none(),
    )
    return ChainFacts(owner=owner, has_metadata=has_metadata, minted_wei=minted_wei)


async def _none() -> int:
    return 0


def _check_not_behind(asset: ModelAsset, nonces: SignerNonces) -> None:
    """What a node doesn't know yet it can't deny."""
    known = max((record.block for record in asset.status.transactions), default=0)
    if nonces.block < known:
        raise TransientError(
            f"the node is at block {nonces.block}, and this publication was confirmed up to block "
            f"{known}: it lags, or serves another chain of that number; it is waited for",
            "NodeLags",
        )


def at_rest(asset: ModelAsset) -> bool:
    """Published or going, and nothing of it is held any more."""
    over = is_true(asset.status.conditions, "Published") or asset.metadata.deletion_timestamp
    return bool(over) and FINALIZER not in asset.metadata.finalizers


def _troubled(seen: Observed, error: PosthumanError) -> Observed:
    return msgspec.structs.replace(seen, problem=problem_of(error))


def _no_environment(asset: ModelAsset) -> PosthumanError:
    name = asset.spec.environment_ref.name
    return NotFound(
        f'there is no ComputeEnvironment "{name}"; name one in a new asset, or ask for it',
        "EnvironmentNotFound",
    )
