"""Who may set an asset's metadata may not thereby sell something else in its name."""

from __future__ import annotations

import json

import pytest

from posthuman.assets.did import did_of
from posthuman.cli.buy import Wish, item_of
from posthuman.errors import UserError
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.reader import open_reader
from tests.assets.strangers import person
from tests.ledger.market import asset_of
from tests.services.chain import Chain

pytestmark = pytest.mark.chain


async def test_a_ddo_can_not_name_another_assets_datatoken(chain: Chain) -> None:
    alice = await chain.new_account()
    sold = await asset_of(chain, alice)
    other = await asset_of(chain, await chain.new_account(), name="Another")
    wish = Wish(did=did_of(sold.nft, CHAIN_ID), service="train")
    reader = open_reader(chain.url, chain.spec())
    try:
        assert (await item_of(reader, wish)).datatoken == sold.datatoken
        async with person(chain, bytes(alice.key)) as owner:
            service = {"id": "train", "datatokenAddress": other.datatoken}
            await owner.set_ddo(sold.nft, json.dumps({"services": [service]}).encode())
        with pytest.raises(UserError, match="datatoken"):
            await item_of(reader, wish)
    finally:
        await reader.close()
