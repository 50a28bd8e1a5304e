"""Two transactions of the publisher's own: create NFT and datatoken, then set the DDO.

The chain is asked first whether a step is done; then signed bytes are kept, then sent, then waited
for. So the command may be killed at any point and run again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from posthuman.assets.algorithm_ddo import Algorithm, publication_of
from posthuman.assets.ddo import encode_ddo, in_clear
from posthuman.chain import CreatedNFT, MarketFee, Receipt, Transaction, UnsignedTransaction
from posthuman.chain_ports import Ledger
from posthuman.cli.algorithm.outbox import Outbox
from posthuman.errors import TransientError, UserError

CREATE, METADATA = "create", "metadata"
POLL_SECONDS = 0.2
LAG_SECONDS = 30.0
MINING_SECONDS = 300.0  # after it the command says so; the same command goes on

Prepare = Callable[[], Awaitable[UnsignedTransaction]]


class AlgorithmPublisher:
    """Publishes with one ledger, whose signer becomes the owner."""

    def __init__(self, ledger: Ledger, outbox: Callable[[str], Outbox], confirmations: int) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._confirmations = confirmations

    async def publish(
        self,
        algorithm: Algorithm,
        market_fee: MarketFee,
        ddo_of: Callable[[CreatedNFT], Mapping[str, Any]],
    ) -> CreatedNFT:
        """Its NFT, with the DDO set. Raises UserError, TransientError."""
        await self._ledger.check()
        publication = publication_of(algorithm, self._ledger.chain_id, self._ledger.signer)
        outbox = self._outbox(publication.publication_id)
        created = await self._find(publication.publication_id)
        if created is None:
            await self._happen(
                outbox,
                CREATE,
                lambda: self._ledger.prepare_create(publication, algorithm.title, market_fee),
            )
            created = await self._find(publication.publication_id)
        if created is None:
            raise TransientError("the chain shows no NFT of this publication yet: run this again")
        await self._describe(outbox, created, ddo_of)
        return created

    async def _find(self, publication_id: str) -> CreatedNFT | None:
        return await self._ledger.find(publication_id)

    async def _describe(
        self,
        outbox: Outbox,
        created: CreatedNFT,
        ddo_of: Callable[[CreatedNFT], Mapping[str, Any]],
    ) -> None:
        if await self._has_metadata(created.nft):
            return
        metadata = in_clear(encode_ddo(ddo_of(created)))
        await self._happen(
            outbox, METADATA, lambda: self._ledger.prepare_metadata(created.nft, metadata)
        )

    async def _has_metadata(self, nft: str) -> bool:
        """A node may show a block's receipts a moment before its contracts; facts are read as of
        the block that the nonces were asked at."""
        deadline = time.monotonic() + LAG_SECONDS
        while True:
            await self._ledger.nonces()
            try:
                return await self._ledger.has_metadata(nft)
            except UserError as error:
                if error.reason != "ContractMissing" or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _happen(self, outbox: Outbox, step: str, prepare: Prepare) -> None:
        """Once: what was signed before is sent again, unless it can't come true any more."""
        signed = outbox.signed(step)
        if signed and await self._is_lost(signed):
            outbox.forget(step)
            signed = None
        if signed is None:
            signed = await self._sign(prepare)
            outbox.keep(step, signed)
        receipt = await self._mined(signed, step)
        if not receipt.succeeded:
            outbox.forget(step)
            raise UserError(f"{step}: transaction {signed.hash} was reverted by the contract")

    async def _sign(self, prepare: Prepare) -> Transaction:
        """Raises TransientError while something else of the signer's is on its way."""
        unsigned = await prepare()
        nonces = await self._ledger.nonces()
        if nonces.pending != nonces.mined:
            raise TransientError(
                f"a transaction of {self._ledger.signer} is on its way: wait until it is mined, "
                "and run this again"
            )
        return await self._ledger.sign(unsigned, nonces.mined)

    async def _is_lost(self, signed: Transaction) -> bool:
        """Another transaction took its nonce."""
        spent = await self._ledger.spent_by(signed.nonce)
        return spent is not None and spent.hash != signed.hash

    async def _mined(self, signed: Transaction, step: str) -> Receipt:
        if await self._ledger.receipt(signed.hash) is None:
            await self._ledger.send(signed.raw)
        try:
            async with asyncio.timeout(MINING_SECONDS):
                while True:
                    receipt = await self._ledger.receipt(signed.hash)
                    if receipt and receipt.confirmations >= self._confirmations:
                        return receipt
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TransientError(
                f"{step}: transaction {signed.hash} is not confirmed yet; run this again later"
            ) from None
