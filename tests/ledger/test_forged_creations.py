"""Only the factory says who made which NFT: a transaction may hold other contracts' lies."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hexbytes import HexBytes

from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, MarketFee, Publication
from posthuman.ledger.contracts import deployment_of
from posthuman.ledger.creations import Creations, factory_contract
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.reader import open_reader
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.token_uri import encode_token_uri
from tests.ledger.forger import tell
from tests.ledger.market import asset_of
from tests.services.chain import Chain

pytestmark = pytest.mark.chain

FORGED = Publication(
    publication_id="forged", parents=("did:op:alice",), manifest_digest="sha256:" + "f" * 64
)
EVENT_WORDS = ["address", "string", "string", "string", "bool"]


def topic_of(address: str) -> bytes:
    return HexBytes(address).rjust(32, b"\0")


async def forge(chain: Chain, alices: CreatedNFT) -> tuple[str, CreatedNFT]:
    """The liar's address, and the NFT that it made while it said that Alice's signer made one."""
    liar = await chain.new_account()
    web3 = open_web3(chain.url)
    try:
        factory = factory_contract(web3, deployment_of(chain.spec()))
        event = factory.events.NFTCreated()
        topics = [
            bytes(HexBytes(event.topic)),
            topic_of(alices.nft),
            topic_of(alices.creator),
            topic_of(alices.creator),
        ]
        said = [alices.nft, "Alice's", "A", encode_token_uri(FORGED, "Alice's"), True]
        async with chain.ledger(liar) as ledger:
            honest = Publication(publication_id="liar", parents=(), manifest_digest="sha256:0")
            call = await ledger.prepare_create(honest, "Mine", MarketFee())
        data = encode(EVENT_WORDS, said)
        receipt = await tell(web3, liar, topics, data, call.to, bytes(HexBytes(call.data)))
        made = await Creations(web3, deployment_of(chain.spec())).all()
    finally:
        await web3.provider.disconnect()
    [mine] = [c for c in made if c.hash == HexBytes(receipt["transactionHash"]).to_0x_hex()]
    return str(receipt["contractAddress"]), mine


async def test_a_forged_event_makes_nobody_a_publisher(chain: Chain) -> None:
    alices = await asset_of(chain, await chain.new_account())
    liar, made = await forge(chain, alices)
    reader = open_reader(chain.url, chain.spec())
    try:
        found = await reader.creation(did_of(made.nft, CHAIN_ID))
    finally:
        await reader.close()
    assert found
    assert (found.creator, found.publication.publication_id) == (liar, "liar")
    assert (found.nft, found.name) == (made.nft, "Mine")
    assert found.datatoken
