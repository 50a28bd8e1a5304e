"""The account that signs: its nonces, what a call of it costs, its bytes.

It keeps nothing; which nonce is used for what is the nonce book's to say (assets/nonces.py).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from eth_account.signers.local import LocalAccount
from eth_typing import BlockNumber, HexStr
from web3 import AsyncWeb3
from web3.exceptions import Web3RPCError
from web3.types import BlockData, TxParams

from posthuman.errors import TransientError, UserError
from posthuman.ledger.rpc import Web3, says_already_sent, translated
from posthuman.ports import SignerNonces, Spent, Transaction, UnsignedTransaction

GAS_MARGIN = Decimal("1.2")
BASE_FEE_MARGIN = 3  # the base fee may triple (10 full blocks) before a transaction stalls
WEI = Decimal(10**18)


class Signer:
    """One account on one chain."""

    def __init__(
        self, web3: Web3, account: LocalAccount, chain_id: int, confirmations: int
    ) -> None:
        self._web3 = web3
        self._account = account
        self._chain_id = chain_id
        self._confirmations = confirmations

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    async def balance_wei(self) -> int:
        with translated(f"reading the balance of {self.address}"):
            return await self._web3.eth.get_balance(self._account.address)

    async def has_sent(self) -> bool:
        """Whether any transaction of it was mined."""
        with translated(f"reading the nonce of {self.address}"):
            return await self._web3.eth.get_transaction_count(self._account.address, "latest") > 0

    async def nonces(self) -> SignerNonces:
        """In one batch, so that one node answers all of it."""
        eth, address = self._web3.eth, self._account.address
        with translated(f"reading the nonces of {self.address}"):
            chain_id, block, mined, pending = await asyncio.gather(
                eth.chain_id,
                eth.block_number,
                eth.get_transaction_count(address, "latest"),
                eth.get_transaction_count(address, "pending"),
            )
            self.check_chain_id(chain_id)
            settled = await self._count_at(block - self._confirmations + 1, block, mined)
        return SignerNonces(settled=settled, mined=mined, pending=max(mined, pending))

    async def _count_at(self, wanted: int, latest: int, mined: int) -> int:
        """Transactions mined up to a block; `mined` of them up to the latest."""
        if wanted >= latest:
            return mined
        return await self._web3.eth.get_transaction_count(self._account.address, max(wanted, 0))

    def check_chain_id(self, actual: int) -> None:
        """Raises UserError if the node serves another chain."""
        if actual != self._chain_id:
            raise UserError(
                f"the node serves chain {actual}, the environment names chain {self._chain_id}: "
                "correct spec.chain.chainId or the Secret of the node's URL",
                "ChainIdMismatch",
            )

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
        return await self._web3.eth.get_transaction_count(self._account.address, BlockNumber(block))

    def _spent_in(self, block: BlockData, nonce: int, latest: int) -> Spent | None:
        for found in block["transactions"]:
            if not isinstance(found, bytes) and (found["from"], found["nonce"]) == (
                self._account.address,
                nonce,
            ):
                count = latest - block["number"] + 1
                return Spent(hash=AsyncWeb3.to_hex(found["hash"]), confirmations=count)
        return None

    async def prepare(self, to: str, data: str, doing: str) -> UnsignedTransaction:
        """With gas and fees. Raises UserError where it would revert, TransientError: PurseEmpty."""
        receiver = AsyncWeb3.to_checksum_address(to)
        params: TxParams = {"from": self._account.address, "to": receiver, "data": HexStr(data)}
        eth = self._web3.eth
        with translated(doing):
            estimate, tip, block, balance = await asyncio.gather(
                eth.estimate_gas(params),
                eth.max_priority_fee,
                eth.get_block("latest"),
                eth.get_balance(self._account.address),
            )
        if "baseFeePerGas" not in block:
            raise UserError(f"chain {self._chain_id} has no EIP-1559 fees", "FeesUnsupported")
        gas = int(estimate * GAS_MARGIN)
        max_fee = block["baseFeePerGas"] * BASE_FEE_MARGIN + tip
        self._check_purse(doing, gas * max_fee, balance)
        return UnsignedTransaction(to=to, data=data, gas=gas, max_fee_wei=max_fee, tip_wei=tip)

    def _check_purse(self, doing: str, cost_wei: int, balance_wei: int) -> None:
        if balance_wei < cost_wei:
            raise TransientError(
                f"{doing}: the signer {self.address} holds {balance_wei / WEI:f} of the chain's "
                f"coin and may need {cost_wei / WEI:f} for gas; send it some",
                "PurseEmpty",
            )

    def sign(self, unsigned: UnsignedTransaction, nonce: int) -> Transaction:
        """The same bytes each time it is given the same."""
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": nonce,
                "to": AsyncWeb3.to_checksum_address(unsigned.to),
                "value": 0,
                "data": HexStr(unsigned.data),
                "gas": unsigned.gas,
                "maxFeePerGas": unsigned.max_fee_wei,
                "maxPriorityFeePerGas": unsigned.tip_wei,
            }
        )
        raw = AsyncWeb3.to_hex(signed.raw_transaction)
        return Transaction(hash=AsyncWeb3.to_hex(signed.hash), raw=raw, nonce=nonce)

    async def send(self, raw: str) -> None:
        """What the node has already is success."""
        with translated("sending a transaction"):
            try:
                await self._web3.eth.send_raw_transaction(HexStr(raw))
            except Web3RPCError as error:
                if not says_already_sent(error):
                    raise
