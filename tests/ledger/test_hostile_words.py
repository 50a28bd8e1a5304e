"""Anybody may make an NFT through Ocean's factory, and call it what no decoder can read."""

from __future__ import annotations

import msgspec
import pytest

from posthuman.assets.did import did_of
from posthuman.chain import MarketFee, Publication
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.ocean import OceanLedger
from posthuman.ledger.reader import open_reader
from tests.ledger.market import carried_out
from tests.services.chain import Chain

pytestmark = pytest.mark.chain

NAME, NO_UTF8 = "a hostile name, all of it", b"\xff" * 25
SAID = Publication(publication_id="p1", parents=(), manifest_digest="sha256:" + "0" * 64)


async def make_unreadable(ledger: OceanLedger) -> None:
    """An NFT whose name is no text."""
    honest = await ledger.prepare_create(SAID, NAME, MarketFee())
    data = honest.data.replace(NAME.encode().hex(), NO_UTF8.hex())
    assert data != honest.data
    await carried_out(ledger, msgspec.structs.replace(honest, data=data))


async def test_an_unreadable_nft_hides_no_other(own_chain: Chain) -> None:
    async with own_chain.ledger() as stranger, own_chain.ledger() as ledger:
        await carried_out(ledger, await ledger.prepare_create(SAID, "GPT-2", MarketFee()))
        await make_unreadable(stranger)
        found = await ledger.find("p1")
    assert found
    reader = open_reader(own_chain.url, own_chain.spec())
    try:
        assert await reader.creation(did_of(found.nft, CHAIN_ID)) == found
    finally:
        await reader.close()


async def test_a_name_gives_a_terminal_no_orders(own_chain: Chain) -> None:
    async with own_chain.ledger() as ledger:
        name = "\x1b[8mfree\x1b[0m\r\N{RIGHT-TO-LEFT OVERRIDE}\x9b2K é 模型"
        await carried_out(ledger, await ledger.prepare_create(SAID, name, MarketFee()))
        found = await ledger.find("p1")
    assert found and found.name == "\ufffd[8mfree\ufffd[0m\ufffd\ufffd\ufffd2K é 模型"
