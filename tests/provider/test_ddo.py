"""DDOs from the metadata cache, and from the chain where there is no cache."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Publication, SetDDO
from posthuman.errors import NotFound, TransientError, UserError
from tests.builders import ALICE, ALICE_NFT
from tests.fakes.ledger import CHAIN_ID, FakeChain
from tests.provider.server import ProviderServer, selling
from tests.provider.shop import TEXT, provider_of

ON_CHAIN = did_of(ALICE_NFT, CHAIN_ID)


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with selling() as server:
        server.sell(TEXT, {"a": b"x"})
        yield server


def chain_with(*ddos: bytes) -> FakeChain:
    chain = FakeChain()
    nothing = Publication(publication_id="", parents=(), manifest_digest="")
    creation = CreatedNFT(
        publication=nothing, nft=ALICE_NFT, datatoken="", hash="0x1", block=1, creator=ALICE
    )
    chain.put(creation, ALICE, *ddos)
    return chain


async def test_the_cache_tells_it(server: ProviderServer) -> None:
    assert await provider_of(server).ddo(TEXT) == server.ddos[TEXT]


async def test_nobody_knows_it(server: ProviderServer) -> None:
    with pytest.raises(NotFound):
        await provider_of(server).ddo("did:op:" + "0" * 64)


@pytest.mark.parametrize("told", [{"id": "did:op:another"}, {"id": TEXT, "x": "y" * 300_000}])
async def test_what_is_no_ddo_of_it_is_refused(
    server: ProviderServer, told: dict[str, object]
) -> None:
    server.ddos[TEXT] = told
    with pytest.raises(UserError) as refused:
        await provider_of(server).ddo(TEXT)
    assert refused.value.reason == "MetadataInvalid"


async def test_brackets_without_end_are_refused(server: ProviderServer) -> None:
    deep: list[object] = []
    for _ in range(600):
        deep = [deep]
    server.ddos[TEXT] = {"id": TEXT, "deep": deep}
    with pytest.raises(UserError):
        await provider_of(server).ddo(TEXT)


async def test_the_chain_tells_it_where_there_is_no_cache(server: ProviderServer) -> None:
    ddos: list[dict[str, Any]] = [{"id": ON_CHAIN, "services": [], "n": n} for n in (1, 2)]
    chain = chain_with(*(json.dumps(ddo).encode() for ddo in ddos))
    assert await provider_of(server, chain).ddo(ON_CHAIN) == ddos[1]


async def test_an_encrypted_one_can_not_be_read_from_the_chain(server: ProviderServer) -> None:
    chain = chain_with()
    chain.nfts[ALICE_NFT].ddos.append(SetDDO(content=b"", digest="0" * 64, encrypted=True))
    with pytest.raises(UserError, match="metadataUrl"):
        await provider_of(server, chain).ddo(ON_CHAIN)


async def test_a_cache_that_is_gone_is_a_fault_that_heals(server: ProviderServer) -> None:
    async with selling() as gone:
        provider = provider_of(gone)
    with pytest.raises(TransientError):
        await provider.ddo(TEXT)
