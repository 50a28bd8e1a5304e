"""How the story's people buy: with keys of their own, from Ocean's contracts, as anybody may.

Their keys are anvil's well-known ones, and their OCEAN is the local chain's: worth nothing anywhere
else. What each pays is told in one plain line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.cli.buy import Wish, item_of
from posthuman.cli.chain_place import OpenChain
from posthuman.cli.earnings import owner_account
from posthuman.cli.earnings_account import OwnerAccount
from posthuman.cli.story import cast
from posthuman.cli.story.cast import Person
from posthuman.cli.story.facts import WEI_PER_TOKEN
from posthuman.ledger.account import balance_wei, mint
from posthuman.ledger.amounts import whole
from posthuman.ledger.buying import opened_buyer, send_tokens
from posthuman.ledger.faucet import give_ocean
from posthuman.ledger.quotes import ORDER_WEI, Quote, Source
from posthuman.ledger.reader import open_reader

PURSE_WEI = 100 * WEI_PER_TOKEN  # OCEAN that each buyer begins with
BOBS_OWN_WEI = 50 * WEI_PER_TOKEN
GOT = {
    Source.HELD: "takes the datatoken that was sent",
    Source.DISPENSER: "gets a datatoken for nothing",
    Source.EXCHANGE: "buys a datatoken for {price} OCEAN",
}
AssetOf = Callable[[Key], ModelAsset]


class Purchase(NamedTuple):
    """`variable`: what the manifest calls the order's transaction."""

    buyer: Person
    asset: Key
    service: str
    variable: str


BOB_BUYS = (Purchase(cast.BOB, cast.BASE_MODEL, "train", "BOB_ORDER"),)
CHARLIE_BUYS = (Purchase(cast.CHARLIE, cast.BOB_TRAINS, "train", "CHARLIE_ORDER"),)
DEREK_BUYS = (Purchase(cast.DEREK, cast.CHARLIE_TRAINS, "infer", "DEREK_ORDER"),)
ELENA_BUYS = (
    Purchase(cast.ELENA, cast.BASE_MODEL, "evaluate", "ELENA_ORDER_ALICE"),
    Purchase(cast.ELENA, cast.BOB_TRAINS, "evaluate", "ELENA_ORDER_BOB"),
    Purchase(cast.ELENA, cast.CHARLIE_TRAINS, "evaluate", "ELENA_ORDER_CHARLIE"),
)
PURCHASES = (*BOB_BUYS, *CHARLIE_BUYS, *DEREK_BUYS, *ELENA_BUYS)


class Minted(msgspec.Struct, frozen=True, kw_only=True):
    """Bob's whole datatokens: after the publication, and once he had minted more himself."""

    reward: float
    held: float


class Shop:
    """The market of one chain."""

    def __init__(self, chain: OpenChain, asset_of: AssetOf, say: Callable[[str], None]) -> None:
        """`asset_of`: a published one, by its key."""
        self._chain = chain
        self._asset_of = asset_of
        self._say = say

    async def open(self) -> None:
        """Give everybody who buys some of the local chain's OCEAN."""
        contracts = self._chain.spec.contracts
        assert contracts is not None, "a chain of one's own has addresses of its own"
        buyers = dict.fromkeys(purchase.buyer.address for purchase in PURCHASES)
        await give_ocean(self._chain.url, contracts.ocean_token, buyers, PURSE_WEI)

    async def buy(self, purchases: Sequence[Purchase]) -> dict[str, str]:
        """One after another: the transaction that the manifest names, by what it calls it."""
        return {purchase.variable: await self._buy(purchase) for purchase in purchases}

    async def bob_mints(self) -> Minted:
        """What the publication minted to Bob, and then he himself."""
        url, holder = self._chain.url, cast.BOB
        datatoken = self._asset_of(cast.BOB_TRAINS).status.datatoken
        reward = await balance_wei(url, datatoken, holder.address)
        await mint(url, holder.private_key, datatoken, holder.address, BOBS_OWN_WEI)
        held = await balance_wei(url, datatoken, holder.address)
        self._say("Bob mints 50 more datatokens of his asset himself")
        return Minted(reward=reward / WEI_PER_TOKEN, held=held / WEI_PER_TOKEN)

    async def earned(self, person: Person) -> OwnerAccount:
        """As `posthuman earnings ADDRESS` has it."""
        return await owner_account(person.address, self._chain)

    async def give(self, giver: Person, asset: Key, to: Person) -> None:
        """One datatoken, from hand to hand."""
        datatoken = self._asset_of(asset).status.datatoken
        key, url = giver.private_key, self._chain.url
        await send_tokens(url, key, datatoken, to.address, ORDER_WEI)
        self._say(f"{giver.name} sends {to.name} one datatoken of {asset}")

    async def _buy(self, purchase: Purchase) -> str:
        reader = open_reader(self._chain.url, self._chain.spec)
        wish = Wish(did=self._asset_of(purchase.asset).status.did, service=purchase.service)
        try:
            item = await item_of(reader, wish)
        finally:
            await reader.close()
        async with opened_buyer(self._chain.url, purchase.buyer.private_key) as buyer:
            quote = await buyer.quote(item.datatoken)
            tx_id = await buyer.order(quote, item.place)
        self._say(told(purchase, quote, tx_id))
        return tx_id


def told(purchase: Purchase, quote: Quote, tx_id: str) -> str:
    """Who, what, for how much, and the transaction. Every price of the story is in OCEAN."""
    name = purchase.buyer.name
    got = GOT[quote.source].format(price=whole(quote.price_wei))
    fees = sum(cost.wei for cost in quote.costs) - quote.price_wei
    return (
        f"{name} {got} and orders {purchase.service} of {purchase.asset}, {whole(fees)} OCEAN to "
        f"the market: {tx_id}"
    )
