"""Somebody else's code reads and orders what we published: ocean.js and ddo-js, from npm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posthuman.ledger.account import mint
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.reader import open_reader
from tests.assets.ocean_js import read_back
from tests.assets.real import RealWorld
from tests.assets.strangers import BOB_KEY, Person, give_ocean, person
from tests.assets.world import DIGEST, TOKENS, model_asset
from tests.builders import BOB
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
MARKET_FEE = "0.3"
PRICES = {"Plain": 0.0, "FixedRate": 2.5, "Free": 0.0}


@pytest.mark.parametrize(("pricing", "index"), [("Plain", 0), ("FixedRate", 1), ("Free", 2)])
async def test_oceans_own_library_resolves_validates_and_orders_it(
    chain: Chain, tmp_path: Path, pricing: str, index: int
) -> None:
    async with person(chain) as buyer, person(chain) as market:
        world = RealWorld(chain, await chain.new_account(), marketFee=fee(chain, market))
        key = world.add(model_asset(pricing=priced(chain, pricing), parents=[]))
        await world.publish(key)
        status, signer = world.asset(key).status, world.account.address
        await world.close()
        await give_ocean(chain, buyer.address, 20 * TOKENS)
        if pricing == "Plain":
            await mint(chain.url, BOB_KEY, status.datatoken, buyer.address, TOKENS)
        asked = question(chain, buyer, status.nft, status.datatoken, pricing, index)
        found = await read_back(tmp_path, asked)
        assert found["did"] == found["didOfDdo"] == status.did
        assert (found["isValid"], found["errors"]) == (True, {})
        assert (found["hashFits"], found["flags"], found["owner"]) == (True, "0x00", BOB)
        sees_the_services(found["services"], status.datatoken, signer)
        paid = float(found["oceanBefore"]) - float(found["oceanAfter"])
        assert paid == pytest.approx(PRICES[pricing] + float(MARKET_FEE), rel=0.01)
        await the_order_counts(chain, found["orderTx"], status.datatoken, buyer, index)


def fee(chain: Chain, market: Person) -> dict[str, str]:
    return {
        "address": market.address,
        "token": chain.contracts.ocean_token,
        "amount": MARKET_FEE,
    }


def priced(chain: Chain, pricing: str) -> dict[str, str]:
    named = {"token": chain.contracts.ocean_token, "rate": "2.5"}
    return {"kind": pricing, **(named if pricing == "FixedRate" else {})}


def question(
    chain: Chain, buyer: Person, nft: str, datatoken: str, pricing: str, index: int
) -> dict[str, Any]:
    return {
        "rpcUrl": chain.url,
        "chainId": CHAIN_ID,
        "nft": nft,
        "datatoken": datatoken,
        "pricing": pricing,
        "serviceIndex": index,
        "marketFee": MARKET_FEE,
        "buyerKey": "0x" + bytes(buyer.account.key).hex(),
        "exchange": chain.contracts.fixed_rate_exchange,
        "dispenser": chain.contracts.dispenser,
        "ocean": chain.contracts.ocean_token,
    }


def sees_the_services(services: list[dict[str, Any]], datatoken: str, signer: str) -> None:
    assert [found["id"] for found in services] == ["train", "infer", "evaluate"]
    for found in services:
        assert (found["type"], found["datatokenAddress"]) == ("compute", datatoken)
        assert found["compute"]["publisherTrustedAlgorithmPublishers"] == [signer]
        assert DIGEST.encode().hex() in found["files"]


async def the_order_counts(
    chain: Chain, tx_id: str, datatoken: str, buyer: Person, index: int
) -> None:
    """The operator finds it as it finds any other."""
    reader = open_reader(chain.url, chain.spec())
    order = await reader.order(tx_id, datatoken)
    await reader.close()
    assert order
    assert (order.consumer, order.service_index) == (buyer.address, index)
