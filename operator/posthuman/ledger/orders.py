"""Orders of datatokens, read from the receipts of the transactions that made them.

Only the datatoken's own events count: any contract may emit others that look the same. Anyone may
call `reuseOrder` with anything, so a reuse counts for nothing without the order that it names.
"""

from __future__ import annotations

import asyncio

import msgspec
from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.contract import AsyncContract
from web3.exceptions import TransactionNotFound
from web3.types import TxReceipt

from posthuman.chain import Order
from posthuman.errors import UserError
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.creations import events_of
from posthuman.ledger.rpc import Web3, translated

_TOKEN_ABI = abi_of("ERC20Template", "OrderStarted", "OrderReused", "ProviderFee")


class Orders:
    """Of any datatoken of one chain."""

    def __init__(self, web3: Web3) -> None:
        self._web3 = web3

    async def find(self, tx_id: str, datatoken: str) -> Order | None:
        """See chain_ports.ChainReader.order."""
        token = self._web3.eth.contract(AsyncWeb3.to_checksum_address(datatoken), abi=_TOKEN_ABI)
        with translated(f"reading order {tx_id}"):
            latest, receipt = await asyncio.gather(
                self._web3.eth.block_number, self._receipt(tx_id)
            )
            if receipt is None:
                return None
            found = _started(token, receipt) or await self._prolonged(token, receipt)
        if found is None:
            raise UserError(
                f"transaction {tx_id} orders no datatoken {token.address}: name the transaction of "
                "startOrder (or reuseOrder) of this asset's own datatoken",
                "OrderForOtherAsset",
            )
        confirmations = max(latest - receipt["blockNumber"] + 1, 0)
        return msgspec.structs.replace(found, confirmations=confirmations)

    async def _prolonged(self, token: AsyncContract, reuse: TxReceipt) -> Order | None:
        """The order that a `reuseOrder` of this datatoken names, as that has prolonged it."""
        said = events_of(token.events.OrderReused(), token.address, reuse)
        if not said:
            return None
        first = await self._receipt(AsyncWeb3.to_hex(HexBytes(said[0]["args"]["orderTxId"])))
        order = _started(token, first) if first else None
        if order is None:
            return None
        again = msgspec.structs.replace(
            order,
            reuse_tx_id=AsyncWeb3.to_hex(reuse["transactionHash"]),
            reused_at=said[0]["args"]["timestamp"],
            block=reuse["blockNumber"],
        )
        return _with_fee(again, token, reuse, said[0]["logIndex"])

    async def _receipt(self, tx_id: str) -> TxReceipt | None:
        """None until it is mined; one that was reverted holds no events."""
        try:
            return await self._web3.eth.get_transaction_receipt(HexStr(tx_id))
        except TransactionNotFound:
            return None


def _started(token: AsyncContract, receipt: TxReceipt) -> Order | None:
    """The first order of this datatoken in a transaction, which may hold several."""
    said = events_of(token.events.OrderStarted(), token.address, receipt)
    if not said:
        return None
    args = said[0]["args"]
    order = Order(
        tx_id=AsyncWeb3.to_hex(receipt["transactionHash"]),
        datatoken=token.address,
        consumer=args["consumer"],
        payer=args["payer"],
        service_index=args["serviceIndex"],
        timestamp=args["timestamp"],
        block=receipt["blockNumber"],
        confirmations=0,
    )
    return _with_fee(order, token, receipt, said[0]["logIndex"])


def _with_fee(order: Order, token: AsyncContract, receipt: TxReceipt, after: int) -> Order:
    """With the provider's fee of the order that log `after` tells of: the template tells it next.
    Without one there is none: that of an earlier transaction isn't this one's."""
    fees = events_of(token.events.ProviderFee(), token.address, receipt)
    said = next((fee["args"] for fee in fees if fee["logIndex"] > after), None)
    return msgspec.structs.replace(
        order,
        valid_until=said["validUntil"] if said else 0,
        fee_token=said["providerFeeToken"] if said else "",
        fee_wei=said["providerFeeAmount"] if said else 0,
    )
