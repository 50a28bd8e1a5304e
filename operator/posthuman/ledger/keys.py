"""The key that signs: what is asked of it, and the one in memory (remote.py has the other).

Nothing of a key is ever part of an error, a `repr` or a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from web3 import AsyncWeb3

from posthuman.chain import Transaction, UnsignedTransaction


class SigningKey(Protocol):
    """One account's key. Raises TransientError: SignerUnreachable, and UserError: SignerRefused,
    SignedOtherwise, where it is a remote one."""

    @property
    def address(self) -> ChecksumAddress: ...
    async def check(self) -> None:
        """Raises the same, and UserError: SignerMissing, before anything is to be signed."""

    async def sign_transaction(
        self, unsigned: UnsignedTransaction, nonce: int, chain_id: int
    ) -> Transaction: ...
    async def sign_typed_data(self, typed_data: Mapping[str, Any]) -> str:
        """EIP-712: 0x, then r, s and v in lower-case hex."""

    async def close(self) -> None: ...


class LocalKey:
    """See SigningKey: signs by itself, and deterministically (RFC 6979)."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @property
    def address(self) -> ChecksumAddress:
        """Checksummed."""
        return self._account.address

    async def check(self) -> None:
        """It is here, so it can sign."""

    async def sign_transaction(
        self, unsigned: UnsignedTransaction, nonce: int, chain_id: int
    ) -> Transaction:
        call: dict[str, int | HexStr] = {
            "chainId": chain_id,
            "nonce": nonce,
            "to": HexStr(unsigned.to),
            "value": 0,
            "data": HexStr(unsigned.data),
            "gas": unsigned.gas,
        }
        signed = self._account.sign_transaction({**call, **_price(unsigned)})
        raw = AsyncWeb3.to_hex(signed.raw_transaction)
        return Transaction(hash=AsyncWeb3.to_hex(signed.hash), raw=raw, nonce=nonce)

    async def sign_typed_data(self, typed_data: Mapping[str, Any]) -> str:
        message = encode_typed_data(full_message=dict(typed_data))
        return AsyncWeb3.to_hex(self._account.sign_message(message).signature)

    async def close(self) -> None:
        """Nothing is open."""


def _price(unsigned: UnsignedTransaction) -> dict[str, int | HexStr]:
    if unsigned.tip_wei is None:
        return {"gasPrice": unsigned.max_fee_wei}
    return {
        "type": 2,
        "maxFeePerGas": unsigned.max_fee_wei,
        "maxPriorityFeePerGas": unsigned.tip_wei,
    }
