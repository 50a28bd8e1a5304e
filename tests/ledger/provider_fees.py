"""A provider's part: to sign the fee that it asks with an order (ERC20Template)."""

from __future__ import annotations

from eth_account.messages import encode_defunct
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO

from posthuman.ledger.account import account_of
from posthuman.ledger.provider_fee import ProviderFee

_SIGNED_TYPES = ("bytes", "address", "address", "uint256", "uint256")


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
