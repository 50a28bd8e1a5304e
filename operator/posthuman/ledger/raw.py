"""Reads back what was signed from the signed bytes: legacy transactions, and EIP-1559's."""

from __future__ import annotations

import rlp
from web3 import AsyncWeb3

from posthuman.chain import UnsignedTransaction

DYNAMIC_FEE = 2  # the type of EIP-1559; a legacy transaction begins as an RLP list, above 0x7f


def unsigned_of(raw: str) -> UnsignedTransaction:
    """The call with its gas and fees, without nonce and signature."""
    signed = bytes.fromhex(raw.removeprefix("0x"))
    if signed[0] == DYNAMIC_FEE:
        _, _, tip, price, gas, to, _, data = rlp.decode(signed[1:])[:8]
    else:
        _, price, gas, to, _, data = rlp.decode(signed)[:6]
        tip = None
    return UnsignedTransaction(
        to=AsyncWeb3.to_checksum_address(AsyncWeb3.to_hex(to)),
        data=AsyncWeb3.to_hex(data),
        gas=int.from_bytes(gas),
        max_fee_wei=int.from_bytes(price),
        tip_wei=None if tip is None else int.from_bytes(tip),
    )
