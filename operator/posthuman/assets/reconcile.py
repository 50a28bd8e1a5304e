"""The level-triggered loop of an asset: observe → decide → act → one status write, then the story.

It keeps no memory that matters: `_waiting_since` only paces how often a receipt is asked for, and
the locks only spare conflicts that the nonce book's compare-and-swap would find.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime
from typing import assert_never

import msgspec

from posthuman.api.asset import AssetStatus, ModelAsset, TransactionRecord
from posthuman.api.meta import Key
from posthuman.assets.decide import decide, troubled
from posthuman.assets.nonces import ChainNonces, holder, release, reserve
from posthuman.assets.observe import LedgerOf, Observer, StoreOf, problem_of
from posthuman.assets.observed import (
    AddFinalizer,
    Decision,
    DropFinalizer,
    Observed,
    Release,
    Send,
    Sign,
    SignCreate,
    SignMetadata,
    SignMint,
    SignTransfer,
)
from posthuman.assets.story import story
from posthuman.errors import Conflict, PosthumanError
from posthuman.ports import Clock, Cluster, Ledger, NonceBook, UnsignedTransaction

BOOK_TRIES = 5


class AssetReconciler:
    """Brings one asset a pass nearer to being published; safe to call at any time, any number of
    times, but for one key at a time."""

    def __init__(self, cluster: Cluster, stores: StoreOf, ledgers: LedgerOf, clock: Clock) -> None:
        self._cluster = cluster
        self._observer = Observer(cluster, stores, ledgers)
        self._clock = clock
        self._books: defaultdict[tuple[int, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting_since: dict[str, datetime] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass; seconds until the next is due by itself. Raises TransientError."""
        asset = await self._cluster.asset(key)
        if asset is None:
            return None
        seen, ledger = await self._observer.observe(asset)
        seen = msgspec.structs.replace(seen, waited_seconds=self._waited(seen))
        decision = decide(seen, self._clock.now())
        if ledger:
            decision = await self._act_on_chain(seen, decision, ledger)
        await self._write(asset, decision.status)
        await self._tidy(asset, decision, ledger)
        return decision.requeue_after_seconds

    def _waited(self, seen: Observed) -> float:
        """Seconds since this process first saw the open transaction."""
        record, now = seen.open_record, self._clock.now()
        if record is None:
            return 0.0
        if seen.receipt is not None:
            return (now - self._waiting_since.pop(record.hash, now)).total_seconds()
        return (now - self._waiting_since.setdefault(record.hash, now)).total_seconds()

    async def _act_on_chain(self, seen: Observed, decision: Decision, ledger: Ledger) -> Decision:
        """Sign or send, never both; what fails is told by the one status write."""
        try:
            for action in decision.actions:
                if isinstance(action, Send):
                    await ledger.send(action.raw)
                elif isinstance(action, Sign):
                    status = await self._sign(decision.status, action, ledger)
                    decision = Decision(
                        status=status, requeue_after_seconds=decision.requeue_after_seconds
                    )
        except Conflict:
            raise
        except PosthumanError as error:
            return troubled(seen.asset, decision, problem_of(error), self._clock.now())
        return decision

    async def _sign(self, status: AssetStatus, action: Sign, ledger: Ledger) -> AssetStatus:
        """Gas and fees first: once the nonce is reserved, nothing but a crash delays its bytes."""
        unsigned = await _prepare(action, ledger)
        chain = ChainNonces(mined=await ledger.mined_nonce(), pending=await ledger.next_nonce())
        nonce = await self._reserve(holder(status.publication_id, action.step), chain, ledger)
        signed = ledger.sign(unsigned, nonce)
        record = TransactionRecord(step=action.step, nonce=nonce, hash=signed.hash, raw=signed.raw)
        kept = tuple(found for found in status.transactions if found.step != action.step)
        return msgspec.structs.replace(status, transactions=(*kept, record))

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
                    await self._release(decision.status.publication_id, steps, ledger)
                case DropFinalizer():
                    await self._cluster.set_finalizer("ModelAsset", key, False)
                case _:
                    continue

    async def _reserve(self, name: str, chain: ChainNonces, ledger: Ledger) -> int:
        async with self._books[ledger.chain_id, ledger.signer]:
            for _ in range(BOOK_TRIES):
                book = await self._cluster.nonce_book(ledger.chain_id, ledger.signer)
                revised, nonce = reserve(book, name, chain)
                if await self._saved(book, revised, ledger):
                    return nonce
        raise Conflict(f"the nonces of {ledger.signer} keep changing; is another operator writing?")

    async def _release(self, publication: str, steps: frozenset[str], ledger: Ledger) -> None:
        names = frozenset(holder(publication, step) for step in steps)
        async with self._books[ledger.chain_id, ledger.signer]:
            for _ in range(BOOK_TRIES):
                book = await self._cluster.nonce_book(ledger.chain_id, ledger.signer)
                if await self._saved(book, release(book, names), ledger):
                    return
        raise Conflict(f"the nonces of {ledger.signer} keep changing; is another operator writing?")

    async def _saved(self, book: NonceBook, revised: NonceBook, ledger: Ledger) -> bool:
        if revised == book:
            return True
        try:
            await self._cluster.save_nonce_book(ledger.chain_id, ledger.signer, revised)
        except Conflict:
            return False
        return True


async def _prepare(action: Sign, ledger: Ledger) -> UnsignedTransaction:
    match action:
        case SignCreate(publication, name, market_fee):
            return await ledger.prepare_create(publication, name, market_fee)
        case SignMetadata(nft, ddo):
            return await ledger.prepare_metadata(nft, ddo)
        case SignMint(datatoken, to, wei):
            return await ledger.prepare_mint(datatoken, to, wei)
        case SignTransfer(nft, to):
            return await ledger.prepare_transfer(nft, to)
        case _:
            assert_never(action)
