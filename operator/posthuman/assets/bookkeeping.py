"""Keeps the signers' nonce books: each change is a compare-and-swap, decided on what was just read.

The locks only spare conflicts within this process; another process's writes are found by the swap.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import FINALIZER
from posthuman.assets.nonces import holder, release, reserve, settle
from posthuman.assets.publication_id import publication_id
from posthuman.chain import SignerNonces
from posthuman.chain_ports import Ledger
from posthuman.errors import Conflict
from posthuman.ports import Cluster, NonceBook

TRIES = 5


class Bookkeeper:
    """Reserves, releases and fills nonces."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._locks: defaultdict[tuple[int, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def reserve(self, name: str, chain: SignerNonces, ledger: Ledger) -> int:
        """A nonce for this holder. Raises TransientError: SignerBusy, NonceTaken, Conflict."""
        live = await live_publications(self._cluster, ledger.chain_id)
        nonces: list[int] = []

        def reserved(book: NonceBook) -> NonceBook:
            book, nonce = reserve(settle(book, live, chain), name, chain)
            nonces.append(nonce)
            return book

        await self._change(ledger, reserved)
        return nonces[-1]

    async def release(self, publication: str, steps: frozenset[str], ledger: Ledger) -> None:
        """The steps are confirmed: they hold nothing any more. Raises Conflict."""
        names = frozenset(holder(publication, step) for step in steps)
        await self._change(ledger, lambda book: release(book, names))

    async def fill(self, nonces: frozenset[int], ledger: Ledger) -> None:
        """Send the fillers that the book holds; or, in a pass of its own, sign and store those
        that it lacks. Raises TransientError: PurseEmpty, Conflict."""
        book = await self._cluster.nonce_book(ledger.chain_id, ledger.signer)
        lacking = nonces - book.fillers.keys()
        if lacking:
            unsigned = await ledger.prepare_filler()
            signed = {nonce: (await ledger.sign(unsigned, nonce)).raw for nonce in lacking}
            revised = msgspec.structs.replace(book, fillers={**book.fillers, **signed})
            await self._cluster.save_nonce_book(ledger.chain_id, ledger.signer, revised)
            return
        for nonce in sorted(nonces):
            await ledger.send(book.fillers[nonce])

    async def _change(self, ledger: Ledger, change: Callable[[NonceBook], NonceBook]) -> None:
        async with self._locks[ledger.chain_id, ledger.signer]:
            for _ in range(TRIES):
                book = await self._cluster.nonce_book(ledger.chain_id, ledger.signer)
                if await self._saved(book, change(book), ledger):
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


async def live_publications(cluster: Cluster, chain_id: int) -> frozenset[str]:
    """The ids of every asset that isn't done with, whatever its environment."""
    found: set[str] = set()
    for name in await cluster.environment_names():
        unfinished = [asset for asset in await cluster.assets_of(name) if not _at_rest(asset)]
        found |= {
            asset.status.publication_id or publication_id(asset, chain_id) for asset in unfinished
        }
    return frozenset(found)


def _at_rest(asset: ModelAsset) -> bool:
    """A nonce that is reserved for it now was so by a stale leader."""
    return bool(asset.status.published_at) and FINALIZER not in asset.metadata.finalizers
