"""The provider's fee of an order: what whoever serves the asset asks beside its datatoken.

Ocean's datatoken takes one only with the signature of the address that is to be paid
(ERC20Template, `checkProviderFee`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from web3.constants import ADDRESS_ZERO


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
