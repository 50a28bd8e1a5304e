"""What a buyer does with a key of their own: get a datatoken, order a service, use it again.

The operator never buys. A person does (`posthuman buy`), and so do the people of the demo and of
the tests, with anvil's well-known development keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO
from web3.contract.async_contract import AsyncContractFunction

from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.provider_fee import NO_PROVIDER_FEE, ProviderFee
from posthuman.ledger.quotes import NO_SWAP_FEE, ORDER_WEI, Cost, Quote, Quotes, Source, totals
from posthuman.ledger.rpc import Web3, open_web3, translated
from posthuman.ledger.transact import transact

NO_MARKET = (ADDRESS_ZERO, ADDRESS_ZERO, 0)  # the struct consumeMarketFee


class Bought(NamedTuple):
    """An order: its transaction, and what it cost."""

    tx_id: str
    quote: Quote


async def start_order(
    rpc_url: str,
    private_key: bytes,
    datatoken: str,
    service_index: int = 0,
    *,
    consumer: str = "",
    fee: ProviderFee = NO_PROVIDER_FEE,
) -> Bought:
    """Order one service, buying what it takes; `consumer`: who may use it, the buyer if empty.

    Raises UserError: NotForSale, TokensMissing, or what the contracts refuse; TransientError.
    """
    async with opened_buyer(rpc_url, private_key) as buyer:
        quote = await buyer.quote(datatoken, fee)
        return Bought(await buyer.order(quote, service_index, consumer, fee), quote)


async def reuse_order(
    rpc_url: str,
    private_key: bytes,
    datatoken: str,
    order_tx_id: str,
    fee: ProviderFee = NO_PROVIDER_FEE,
) -> str:
    """Pay a provider's fee anew for an order that stands; the transaction's hash."""
    async with opened_buyer(rpc_url, private_key) as buyer:
        return await buyer.reuse(datatoken, order_tx_id, fee)


async def send_tokens(rpc_url: str, private_key: bytes, token: str, to: str, wei: int) -> str:
    """Give some of a (data)token away; the transaction's hash. Raises UserError: TokensMissing."""
    async with opened_buyer(rpc_url, private_key) as buyer:
        return await buyer.send(token, to, wei)


@asynccontextmanager
async def opened_buyer(rpc_url: str, private_key: bytes) -> AsyncIterator[Buyer]:
    """Connects to nothing yet. Raises UserError for what is no key."""
    account = account_of(private_key)
    web3 = open_web3(rpc_url)
    try:
        yield Buyer(web3, account)
    finally:
        await web3.provider.disconnect()


class Buyer:
    """One account, doing one thing after another."""

    def __init__(self, web3: Web3, account: LocalAccount) -> None:
        self._web3 = web3
        self._account = account
        self.quotes = Quotes(web3)

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    async def quote(self, datatoken: str, fee: ProviderFee = NO_PROVIDER_FEE) -> Quote:
        """What an order costs this buyer now. Raises UserError: NotForSale."""
        return await self.quotes.quote(datatoken, self.address, fee)

    async def order(
        self,
        quote: Quote,
        service_index: int,
        consumer: str = "",
        fee: ProviderFee = NO_PROVIDER_FEE,
    ) -> str:
        """Pay what was quoted, not more. Raises UserError, before paying: TokensMissing."""
        await self.acquire(quote)
        call = self.quotes.token(quote.datatoken).functions.startOrder(
            AsyncWeb3.to_checksum_address(consumer or self.address),
            service_index,
            fee.as_argument(),
            NO_MARKET,
        )
        return await self._do(call, f"ordering service {service_index} of {quote.datatoken}")

    async def acquire(self, quote: Quote) -> None:
        """Get the datatoken, and allow the fees of its order. Raises UserError: TokensMissing."""
        await self._check_purse(quote)
        await self._approve(quote.costs)
        await self._take(quote)

    async def reuse(self, datatoken: str, order_tx_id: str, fee: ProviderFee) -> str:
        """See `reuse_order`."""
        if fee.wei:
            cost = Cost(what="provider fee", token=fee.token, wei=fee.wei, spender=datatoken)
            await self._approve([cost])
        order = AsyncWeb3.to_bytes(hexstr=HexStr(order_tx_id))
        call = self.quotes.token(datatoken).functions.reuseOrder(order, fee.as_argument())
        return await self._do(call, f"using order {order_tx_id} again")

    async def send(self, token: str, to: str, wei: int) -> str:
        """See `send_tokens`."""
        await self._check_balance(token, wei)
        receiver = AsyncWeb3.to_checksum_address(to)
        call = self.quotes.token(token).functions.transfer(receiver, wei)
        return await self._do(call, f"sending {wei} wei of {token} to {to}")

    async def _check_purse(self, quote: Quote) -> None:
        for token, wei in totals(quote.costs).items():
            await self._check_balance(token, wei)

    async def _check_balance(self, token: str, wei: int) -> None:
        held = await self.quotes.balance_wei(token, self.address)
        if held < wei:
            facts = await self.quotes.facts(token)
            unit = 10**facts.decimals
            raise UserError(
                f"{self.address} holds {held / unit:g} {facts.symbol} and needs {wei / unit:g} "
                f"{facts.symbol} (token {token}): get {(wei - held) / unit:g} more",
                "TokensMissing",
            )

    async def _approve(self, costs: Iterable[Cost]) -> None:
        """To each contract as much of each token as it is going to take."""
        costs = list(costs)
        for spender in dict.fromkeys(cost.spender for cost in costs):
            for token, wei in totals(c for c in costs if c.spender == spender).items():
                await self._allow(token, spender, wei)

    async def _allow(self, token: str, spender: str, wei: int) -> None:
        functions = self.quotes.token(token).functions
        taker = AsyncWeb3.to_checksum_address(spender)
        with translated(f"reading what {spender} may take of {token}"):
            allowed = await functions.allowance(self._account.address, taker).call()
        if allowed < wei:
            await self._do(functions.approve(taker, wei), f"approving {wei} wei of {token}")

    async def _take(self, quote: Quote) -> None:
        token = AsyncWeb3.to_checksum_address(quote.datatoken)
        if quote.source is Source.DISPENSER:
            give = self.quotes.dispenser(quote.seller).functions.dispense
            call = give(token, ORDER_WEI, self._account.address)
            await self._do(call, f"being given a datatoken {token}")
        elif quote.source is Source.EXCHANGE:
            buy = self.quotes.exchange(quote.seller).functions.buyDT
            most = (ORDER_WEI, quote.price_wei)
            call = buy(quote.exchange_id, *most, ADDRESS_ZERO, NO_SWAP_FEE)
            await self._do(call, f"buying a datatoken {token}")

    async def _do(self, call: AsyncContractFunction, doing: str) -> str:
        receipt = await transact(self._web3, self._account, call, doing)
        return AsyncWeb3.to_hex(receipt["transactionHash"])
