"""A chain that takes a block back: what was found in it is found no more."""

from __future__ import annotations

import pytest

from posthuman.assets.did import did_of
from posthuman.chain import MarketFee, Publication
from posthuman.ledger.reader import open_reader
from tests.services.chain import Chain, mined

pytestmark = pytest.mark.chain
SAID = Publication(publication_id="p", parents=(), manifest_digest="sha256:" + "0" * 64)


async def test_a_creation_in_a_block_that_is_taken_back_is_gone(own_chain: Chain) -> None:
    account = await own_chain.new_account()
    reader = open_reader(own_chain.url, own_chain.spec())
    async with own_chain.ledger(account) as ledger:
        before = await own_chain.rpc("evm_snapshot")
        unsigned = await ledger.prepare_create(SAID, "A model", MarketFee())
        signed = await ledger.sign(unsigned, 0)
        await ledger.send(signed.raw)
        created = await mined(ledger, signed.hash)
        did = did_of(created.nft, ledger.chain_id)
        assert await ledger.find("p")
        assert await reader.creation(did)

        await own_chain.rpc("evm_revert", before)
        assert await ledger.receipt(signed.hash) is None
        assert await ledger.find("p") is None
        assert await reader.creation(did) is None

        await ledger.send(signed.raw)  # the stored bytes are as good as before
        await mined(ledger, signed.hash)
        found = await ledger.find("p")
        assert found
        assert found.hash == signed.hash
    await reader.close()
