"""The account that signs: its nonces, what a call of it costs, its bytes.

It keeps nothing; which nonce is used for what is the nonce book's to say (assets/nonces.py).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
from eth_typing import BlockNumber, HexStr
from web3 import AsyncWeb3
from web3.exceptions import Web3RPCError
from web3.types import BlockData, TxParams

from posthuman.chain import SignerNonces, Spent, Transaction, UnsignedTransaction
from posthuman.errors import TransientError
from posthuman.ledger.fees import FeePolicy, Fees, Market, offered, raised
from posthuman.ledger.keys import SigningKey
from posthuman.ledger.raw import unsigned_of
from posthuman.ledger.rpc import Web3, check_chain_id, says_already_sent, translated

GAS_MARGIN = Decimal("1.2")
WEI = Decimal(10**18)


class Signer:
    """One account on one chain."""

    def __init__(
        self,
        web3: Web3,
        key: SigningKey,
        chain_id: int,
        confirmations: int,
        fees: FeePolicy,
    ) -> None:
        self._web3 = web3
        self._key = key
        self._chain_id = chain_id
        self._confirmations = confirmations
        self._fees = fees

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._key.address)

    async def balance_wei(self) -> int:
        with translated(f"reading the balance of {self.address}"):
            return await self._web3.eth.get_balance(self._key.address)

    async def has_sent(self) -> bool:
        """Whether any transaction of it was mined."""
        with translated(f"reading the nonce of {self.address}"):
            return await self._web3.eth.get_transaction_count(self._key.address, "latest") > 0

    async def nonces(self) -> SignerNonces:
        """In one batch, so that one node answers all of it."""
        eth, address = self._web3.eth, self._key.address
        with translated(f"reading the nonces of {self.address}"):
            chain_id, block, mined, pending = await asyncio.gather(
                eth.chain_id,
                eth.block_number,
                eth.get_transaction_count(address, "latest"),
                eth.get_transaction_count(address, "pending"),
            )
            self.check_chain_id(chain_id)
            settled = await self._count_at(block - self._confirmations + 1, block, mined)
        pending = max(mined, pending)
        return SignerNonces(settled=settled, mined=mined, pending=pending, block=block)

    async def _count_at(self, wanted: int, latest: int, mined: int) -> int:
        """Transactions mined up to a block; `mined` of them up to the latest."""
        if wanted >= latest:
            return mined
        return await self._web3.eth.get_transaction_count(self._key.address, max(wanted, 0))

    def check_chain_id(self, actual: int) -> None:
        """Raises UserError if the node serves another chain."""
        check_chain_id(actual, self._chain_id)

    async def spent_by(self, nonce: int) -> Spent | None:
        """Looks back from the latest block in steps that double, then halves what is left: nodes
        that keep no old states can still answer for what is recent."""
        with translated(f"looking for the transaction with nonce {nonce} of {self.address}"):
            latest = await self._web3.eth.block_number
            low, high, step = int(latest), int(latest), 1
            while low > 0 and await self._mined_by(low) > nonce:
                high, low, step = low, max(low - step, 0), step * 2
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (
                    (low, middle) if await self._mined_by(middle) > nonce else (middle, high)
                )
            block = await self._web3.eth.get_block(BlockNumber(high), full_transactions=True)
        return self._spent_in(block, nonce, latest)

    async def _mined_by(self, block: int) -> int:
        return await self._web3.eth.get_transaction_count(self._key.address, BlockNumber(block))

    def _spent_in(self, block: BlockData, nonce: int, latest: int) -> Spent | None:
        for found in block["transactions"]:
            if not isinstance(found, bytes) and (found["from"], found["nonce"]) == (
                self._key.address,
                nonce,
            ):
                count = latest - block["number"] + 1
                return Spent(hash=AsyncWeb3.to_hex(found["hash"]), confirmations=count)
        return None

    async def prepare(self, to: str, data: str, doing: str) -> UnsignedTransaction:
        """With gas and fees. Raises UserError where it would revert, TransientError: PurseEmpty,
        FeeCeiling."""
        receiver = AsyncWeb3.to_checksum_address(to)
        params: TxParams = {"from": self._key.address, "to": receiver, "data": HexStr(data)}
        with translated(doing):
            estimate, market, balance = await asyncio.gather(
                self._web3.eth.estimate_gas(params),
                self._market(),
                self._web3.eth.get_balance(self._key.address),
            )
        gas, fees = int(estimate * GAS_MARGIN), offered(market, self._fees)
        self._check_purse(doing, gas * fees.max_wei, balance)
        return UnsignedTransaction(
            to=str(receiver), data=data, gas=gas, max_fee_wei=fees.max_wei, tip_wei=fees.tip_wei
        )

    async def prepare_replacement(self, raw: str) -> UnsignedTransaction:
        """The same call with more to offer."""
        old = unsigned_of(raw)
        doing = "raising a transaction's fee"
        with translated(doing):
            market, balance = await asyncio.gather(
                self._market(), self._web3.eth.get_balance(self._key.address)
            )
        fees = raised(Fees(max_wei=old.max_fee_wei, tip_wei=old.tip_wei), market, self._fees)
        self._check_purse(doing, old.gas * fees.max_wei, balance)
        return msgspec.structs.replace(old, max_fee_wei=fees.max_wei, tip_wei=fees.tip_wei)

    async def _market(self) -> Market:
        price, block = await asyncio.gather(
            self._web3.eth.gas_price, self._web3.eth.get_block("latest")
        )
        return Market(gas_price_wei=price, base_fee_wei=block.get("baseFeePerGas"))

    def _check_purse(self, doing: str, cost_wei: int, balance_wei: int) -> None:
        if balance_wei < cost_wei:
            raise TransientError(
                f"{doing}: the signer {self.address} holds {balance_wei / WEI:f} of the chain's "
                f"coin and may need {cost_wei / WEI:f} for gas; send it some",
                "PurseEmpty",
            )

    async def sign(self, unsigned: UnsignedTransaction, nonce: int) -> Transaction:
        """A key that is here gives the same bytes each time it is given the same."""
        return await self._key.sign_transaction(unsigned, nonce, self._chain_id)

    async def send(self, raw: str) -> None:
        """What the node has already is success."""
        with translated("sending a transaction"):
            try:
                await self._web3.eth.send_raw_transaction(HexStr(raw))
            except Web3RPCError as error:
                if not says_already_sent(error):
                    raise
