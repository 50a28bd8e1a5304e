"""The provider's fee of an order: what whoever serves the asset asks beside its datatoken.

Ocean's datatoken takes one only with the signature of the address that is to be paid
(ERC20Template, `checkProviderFee`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from eth_account.messages import encode_defunct
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO

from posthuman.ledger.account import account_of

_SIGNED_TYPES = ("bytes", "address", "address", "uint256", "uint256")


class ProviderFee(msgspec.Struct, frozen=True, kw_only=True):
    """`wei` of `token` for access until `valid_until` (epoch seconds; 0: without an end)."""

    address: str = ADDRESS_ZERO
    token: str = ADDRESS_ZERO
    wei: int = 0
    valid_until: int = 0
    data: bytes = b""
    v: int = 0
    r: bytes = bytes(32)
    s: bytes = bytes(32)

    def as_argument(self) -> tuple[Any, ...]:
        """The struct providerFee of `startOrder` and `reuseOrder`."""
        signature = (self.v, self.r, self.s)
        return (self.address, self.token, self.wei, *signature, self.valid_until, self.data)


NO_PROVIDER_FEE = ProviderFee()
"""Nobody's: an empty signature recovers to the zero address, so the contract takes it."""


def signed_provider_fee(
    private_key: bytes,
    *,
    token: str = ADDRESS_ZERO,
    wei: int = 0,
    valid_until: int = 0,
    data: bytes = b"",
) -> ProviderFee:
    """A fee to be paid to the key's address. Raises UserError for what is no key."""
    account = account_of(private_key)
    paid_in = AsyncWeb3.to_checksum_address(token)
    values = (data, account.address, paid_in, wei, valid_until)
    message = AsyncWeb3.solidity_keccak(_SIGNED_TYPES, values)
    signed = account.sign_message(encode_defunct(primitive=message))
    return ProviderFee(
        address=account.address,
        token=paid_in,
        wei=wei,
        valid_until=valid_until,
        data=data,
        v=signed.v,
        r=signed.r.to_bytes(32),
        s=signed.s.to_bytes(32),
    )
