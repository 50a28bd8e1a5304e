"""What an order of a datatoken would cost somebody, and where its datatoken comes from. Reads only.

An order takes one datatoken: one that the buyer holds, or one that Ocean's dispenser gives away or
its fixed-rate exchange sells. The publishing market's fee and the provider's come on top
(ERC20Template, `startOrder`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from eth_typing import ChecksumAddress
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO
from web3.contract import AsyncContract

from posthuman.errors import UserError
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.provider_fee import NO_PROVIDER_FEE, ProviderFee
from posthuman.ledger.rpc import Web3, translated

ORDER_WEI = 10**18  # each order takes one whole datatoken
NO_SWAP_FEE = 0
TOKEN_ABI = abi_of(
    "ERC20Template",
    "allowance",
    "approve",
    "balanceOf",
    "decimals",
    "getDispensers",
    "getFixedRates",
    "getPublishingMarketFee",
    "reuseOrder",
    "startOrder",
    "symbol",
    "transfer",
)
EXCHANGE_ABI = abi_of("FixedRateExchange", "buyDT", "calcBaseInGivenOutDT", "getExchange")
DISPENSER_ABI = abi_of("Dispenser", "dispense", "status")
_EXCHANGE_TOKEN, _EXCHANGE_ACTIVE = 3, 6  # of what getExchange returns
_DISPENSER_ACTIVE, _DISPENSER_MOST, _DISPENSER_MOST_HELD, _DISPENSER_FOR = 0, 3, 4, 6  # of status


class Source(StrEnum):
    """Where the datatoken comes from."""

    HELD = "held already"
    DISPENSER = "given away"
    EXCHANGE = "bought"


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One payment: `spender` is the contract that takes it, once it is approved."""

    what: str
    token: str
    wei: int
    spender: str


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """An order's costs, and how its datatoken is got."""

    datatoken: str
    source: Source
    seller: str = ""  # the exchange's or the dispenser's contract
    exchange_id: bytes = b""
    costs: tuple[Cost, ...] = ()

    @property
    def price_wei(self) -> int:
        """Of the datatoken alone, as its exchange asks it."""
        return sum(cost.wei for cost in self.costs if cost.spender == self.seller)


class TokenFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How a token calls itself and is counted."""

    symbol: str
    decimals: int


class Quotes:
    """Asks a chain's node on behalf of anybody."""

    def __init__(self, web3: Web3) -> None:
        self._web3 = web3

    async def quote(self, datatoken: str, buyer: str, fee: ProviderFee = NO_PROVIDER_FEE) -> Quote:
        """Of what the buyer holds first, else for nothing, else the cheapest. Raises UserError:
        NotForSale."""
        with translated(f"reading how datatoken {datatoken} is sold"):
            found = await self._source(datatoken, buyer)
            market = await self._market_fee(datatoken)
        fees = [*market, *_provider_cost(datatoken, fee)]
        return msgspec.structs.replace(found, costs=(*found.costs, *fees))

    async def balance_wei(self, token: str, holder: str) -> int:
        """What an address holds."""
        with translated(f"reading the balance of {holder}"):
            return int(await self.token(token).functions.balanceOf(_checked(holder)).call())

    async def facts(self, token: str) -> TokenFacts:
        """Of any ERC-20 token."""
        with translated(f"reading token {token}"):
            functions = self.token(token).functions
            symbol, decimals = await functions.symbol().call(), await functions.decimals().call()
        return TokenFacts(symbol=symbol, decimals=decimals)

    def token(self, address: str) -> AsyncContract:
        """A datatoken, or any ERC-20 token."""
        return self._web3.eth.contract(_checked(address), abi=TOKEN_ABI)

    def exchange(self, address: str) -> AsyncContract:
        """Ocean's FixedRateExchange."""
        return self._web3.eth.contract(_checked(address), abi=EXCHANGE_ABI)

    def dispenser(self, address: str) -> AsyncContract:
        """Ocean's Dispenser."""
        return self._web3.eth.contract(_checked(address), abi=DISPENSER_ABI)

    async def _source(self, datatoken: str, buyer: str) -> Quote:
        if await self.balance_wei(datatoken, buyer) >= ORDER_WEI:
            return Quote(datatoken=datatoken, source=Source.HELD)
        for address in await self.token(datatoken).functions.getDispensers().call():
            if await self._gives(address, datatoken, buyer):
                return Quote(datatoken=datatoken, source=Source.DISPENSER, seller=address)
        offers = await self._offers(datatoken)
        if not offers:
            raise UserError(
                f"{buyer} holds no whole datatoken {datatoken}, and neither an exchange nor a "
                "dispenser sells it: ask the asset's owner, who can mint and send some",
                "NotForSale",
            )
        return min(offers, key=lambda offer: offer.price_wei)

    async def _gives(self, dispenser: str, datatoken: str, buyer: str) -> bool:
        said = await self.dispenser(dispenser).functions.status(_checked(datatoken)).call()
        for_buyer = said[_DISPENSER_FOR] in (ADDRESS_ZERO, buyer)
        enough = min(said[_DISPENSER_MOST], said[_DISPENSER_MOST_HELD]) >= ORDER_WEI
        return bool(said[_DISPENSER_ACTIVE]) and for_buyer and enough

    async def _offers(self, datatoken: str) -> list[Quote]:
        listed = await self.token(datatoken).functions.getFixedRates().call()
        found = [await self._offer(datatoken, *entry) for entry in listed]
        return [offer for offer in found if offer]

    async def _offer(self, datatoken: str, exchange: str, exchange_id: bytes) -> Quote | None:
        functions = self.exchange(exchange).functions
        said = await functions.getExchange(exchange_id).call()
        if not said[_EXCHANGE_ACTIVE]:
            return None
        asked = await functions.calcBaseInGivenOutDT(exchange_id, ORDER_WEI, NO_SWAP_FEE).call()
        price = Cost(what="datatoken", token=said[_EXCHANGE_TOKEN], wei=asked[0], spender=exchange)
        return Quote(
            datatoken=datatoken,
            source=Source.EXCHANGE,
            seller=exchange,
            exchange_id=exchange_id,
            costs=(price,),
        )

    async def _market_fee(self, datatoken: str) -> list[Cost]:
        fee = await self.token(datatoken).functions.getPublishingMarketFee().call()
        address, token, wei = fee
        if not wei or ADDRESS_ZERO in (address, token):
            return []
        return [Cost(what="market fee", token=token, wei=wei, spender=datatoken)]


def totals(costs: Iterable[Cost]) -> dict[str, int]:
    """Wei by token."""
    found: dict[str, int] = {}
    for cost in costs:
        found[cost.token] = found.get(cost.token, 0) + cost.wei
    return found


def _provider_cost(datatoken: str, fee: ProviderFee) -> list[Cost]:
    if not fee.wei or ADDRESS_ZERO in (fee.address, fee.token):
        return []
    return [Cost(what="provider fee", token=fee.token, wei=fee.wei, spender=datatoken)]


def _checked(address: str) -> ChecksumAddress:
    return AsyncWeb3.to_checksum_address(address)
