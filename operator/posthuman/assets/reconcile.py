"""The level-triggered loop of an asset: observe → decide → act → one status write, then the story.

It keeps no memory that matters: pacing.py's spares requests while a block is waited for.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from posthuman.api.asset import AssetStatus, ModelAsset, TransactionRecord
from posthuman.api.meta import Key
from posthuman.assets.ancestry import ReaderOf
from posthuman.assets.bookkeeping import Bookkeeper
from posthuman.assets.decide import decide, troubled
from posthuman.assets.nonces import holder
from posthuman.assets.observe import LedgerOf, Observer, StoreOf, at_rest, problem_of
from posthuman.assets.observed import (
    AddFinalizer,
    Decision,
    DropFinalizer,
    Fill,
    Observed,
    Release,
    Replace,
    Send,
    Sign,
    SignCreate,
    SignMetadata,
    SignMint,
    SignTransfer,
)
from posthuman.assets.pacing import Heads, Pace
from posthuman.assets.publication_id import publication_id
from posthuman.assets.sealing import EncryptorOf, Sealer, SealingDelayed
from posthuman.assets.standing import Looks
from posthuman.assets.steps import unused_nonces
from posthuman.assets.story import story
from posthuman.chain import Transaction, UnsignedTransaction
from posthuman.chain_ports import Ledger
from posthuman.errors import Conflict, PosthumanError, TransientError, UserError
from posthuman.ports import Clock, Cluster


class AssetReconciler:
    """Brings one asset a pass nearer to being published; safe to call at any time, any number of
    times, but for one key at a time."""

    def __init__(
        self,
        cluster: Cluster,
        stores: StoreOf,
        ledgers: LedgerOf,
        clock: Clock,
        readers: ReaderOf,
        encryptors: EncryptorOf,
    ) -> None:
        self._cluster = cluster
        self._observer = Observer(cluster, stores, ledgers, readers, Heads(clock))
        self._sealer = Sealer(stores, encryptors)
        self._clock = clock
        self._books = Bookkeeper(cluster)
        self._pace = Pace(clock)
        self._looks = Looks(clock)
        self._refused: set[str] = set()  # UIDs of assets of which the signer signs nothing

    async def reconcile(self, key: Key) -> float | None:
        """One pass; seconds until the next is due by itself. Raises TransientError."""
        asset = await self._cluster.asset(key)
        if asset is None:
            return None
        rested = at_rest(asset) and not asset.metadata.deletion_timestamp
        due = rested and self._looks.is_due(asset)
        seen, ledger = await self._observer.observe(asset, self._pace.idle(asset), due)
        seen = msgspec.structs.replace(
            seen,
            waited_seconds=self._pace.waited_seconds(seen),
            next_seconds=self._pace.next_seconds(seen),
            brought=self._pace.was_brought(seen),
        )
        decision = decide(seen, self._clock.now())
        if ledger:
            decision = await self._act_on_chain(seen, decision, ledger)
        self._pace.looked(seen, decision)
        await self._write(asset, decision.status)
        await self._tidy(asset, decision, ledger)
        if rested:
            return self._looks.seconds_left(asset)
        return decision.requeue_after_seconds

    async def _act_on_chain(self, seen: Observed, decision: Decision, ledger: Ledger) -> Decision:
        """Sign or send, never both; what fails is told by the one status write."""
        try:
            for action in decision.actions:
                if isinstance(action, Send):
                    await ledger.send(action.raw)
                    self._pace.sent(seen)
                elif isinstance(action, Fill):
                    await self._books.fill(action.nonces, ledger)
                elif isinstance(action, Replace):
                    record = await self._replace(action.record, ledger)
                    decision = _recorded(decision, record)
                elif isinstance(action, Sign):
                    record = await self._sign(seen, decision.status, action, ledger)
                    decision = _recorded(decision, record)
        except Conflict:
            raise
        except PosthumanError as error:
            return troubled(seen.asset, decision, problem_of(error), self._clock.now())
        return decision

    async def _sign(
        self, seen: Observed, status: AssetStatus, action: Sign, ledger: Ledger
    ) -> TransactionRecord:
        """Gas and fees first: once the nonce is reserved, nothing but a crash or a remote signer
        delays its bytes."""
        try:
            unsigned = await self._prepare(action, ledger)
        except (UserError, SealingDelayed):
            await self._books.fill(unused_nonces(seen), ledger)
            raise
        nonces = seen.nonces or await ledger.nonces()
        uid = seen.asset.metadata.uid
        if uid in self._refused and not unused_nonces(seen):
            await ledger.sign(unsigned, nonces.pending)  # thrown away: asked before a nonce is used
        name = holder(status.publication_id, action.step)
        nonce = await self._books.reserve(name, nonces, ledger)
        signed = await self._signed(uid, unsigned, nonce, ledger)
        return TransactionRecord(step=action.step, nonce=nonce, hash=signed.hash, raw=signed.raw)

    async def _signed(
        self, uid: str, unsigned: UnsignedTransaction, nonce: int, ledger: Ledger
    ) -> Transaction:
        """What a signer refuses must not hold up everybody else's later nonces: it is used up."""
        try:
            signed = await ledger.sign(unsigned, nonce)
        except UserError:
            self._refused.add(uid)
            await self._books.fill(frozenset({nonce}), ledger)
            raise
        self._refused.discard(uid)
        return signed

    async def _prepare(self, action: Sign, ledger: Ledger) -> UnsignedTransaction:
        match action:
            case SignCreate(publication, name, market_fee, sale):
                return await ledger.prepare_create(publication, name, market_fee, sale)
            case SignMetadata(nft, ddo, environment):
                metadata = await self._sealer.seal(environment, ddo)
                return await ledger.prepare_metadata(nft, metadata)
            case SignMint(datatoken, to, wei):
                return await ledger.prepare_mint(datatoken, to, wei)
            case SignTransfer(nft, to):
                return await ledger.prepare_transfer(nft, to)
            case _:
                assert_never(action)

    async def _replace(self, record: TransactionRecord, ledger: Ledger) -> TransactionRecord:
        """Where no more can be offered, or nobody signs it, the old bytes are brought again."""
        try:
            unsigned = await ledger.prepare_replacement(record.raw)
            signed = await ledger.sign(unsigned, record.nonce)
        except (TransientError, UserError):
            await ledger.send(record.raw)
            raise
        replaced = (record.hash, *record.replaced)
        return msgspec.structs.replace(record, hash=signed.hash, raw=signed.raw, replaced=replaced)

    async def _write(self, asset: ModelAsset, status: AssetStatus) -> None:
        if status == asset.status:
            return
        await self._cluster.write_asset(msgspec.structs.replace(asset, status=status))
        for event in story(asset, status):
            await self._cluster.emit(event)

    async def _tidy(self, asset: ModelAsset, decision: Decision, ledger: Ledger | None) -> None:
        """What may follow only after the status is written."""
        key = asset.metadata.key
        for action in decision.actions:
            match action:
                case AddFinalizer():
                    await self._cluster.set_finalizer("ModelAsset", key, True)
                case Release(steps) if steps and ledger:
                    publication = publication_id(asset, ledger.chain_id)
                    await self._books.release(publication, steps, ledger)
                case DropFinalizer():
                    await self._cluster.set_finalizer("ModelAsset", key, False)
                case _:
                    continue


def _recorded(decision: Decision, record: TransactionRecord) -> Decision:
    """Signed bytes go into the status, and nothing else happens in this pass."""
    kept = tuple(found for found in decision.status.transactions if found.step != record.step)
    status = msgspec.structs.replace(decision.status, transactions=(*kept, record))
    return Decision(status=status, requeue_after_seconds=decision.requeue_after_seconds)
