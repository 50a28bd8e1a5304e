"""Reads back what was signed from the signed bytes: legacy transactions, and EIP-1559's."""

from __future__ import annotations

from collections.abc import Sequence

import rlp
from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from web3 import AsyncWeb3

from posthuman.chain import UnsignedTransaction

DYNAMIC_FEE = 2  # the type of EIP-1559; a legacy transaction begins as an RLP list, above 0x7f
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1
_LEGACY = ("nonce", "fee", "gas limit", "receiver", "value", "data")
_DYNAMIC = ("chain id", "nonce", "tip", "fee", "gas limit", "receiver", "value", "data", "access")
_V_OFFSET = 35  # EIP-155


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


def difference(signed: bytes, unsigned: UnsignedTransaction, nonce: int, chain_id: int) -> str:
    """What these bytes say otherwise than they should, in words; empty if it is this transaction,
    whoever signed it."""
    dynamic = unsigned.tip_wei is not None
    names, wanted = _wanted(unsigned, nonce, chain_id)
    if dynamic != (signed[0] == DYNAMIC_FEE):
        return "one of another type"
    try:
        fields: Sequence[object] = rlp.decode(signed[1:] if dynamic else signed)
    except rlp.exceptions.RLPException:
        return "no signed transaction"
    if not isinstance(fields, Sequence) or len(fields) != len(wanted) + 3:
        return "no signed transaction"
    for name, said, meant in zip(names, fields, wanted, strict=False):
        if said != meant:
            return f"one with another {name}"
    numbers = [int.from_bytes(part) for part in fields[-3:] if isinstance(part, bytes)]
    return _signature_fault(numbers, dynamic, chain_id)


def _wanted(
    unsigned: UnsignedTransaction, nonce: int, chain_id: int
) -> tuple[tuple[str, ...], list[bytes | list[bytes]]]:
    call: list[bytes | list[bytes]] = [
        bytes.fromhex(unsigned.to[2:]),
        b"",  # value
        bytes.fromhex(unsigned.data[2:]),
    ]
    fees = [_number(unsigned.max_fee_wei), _number(unsigned.gas)]
    if unsigned.tip_wei is None:
        return _LEGACY, [_number(nonce), *fees, *call]
    head = [_number(chain_id), _number(nonce), _number(unsigned.tip_wei)]
    return _DYNAMIC, [*head, *fees, *call, []]


def _signature_fault(vrs: list[int], dynamic: bool, chain_id: int) -> str:
    if len(vrs) != 3:
        return "no signed transaction"
    v, _, s = vrs
    if v - (0 if dynamic else 2 * chain_id + _V_OFFSET) not in (0, 1):
        return "one for another chain"
    return "one that chains refuse (a high s, EIP-2)" if s > HALF_ORDER else ""


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


def sender_of(signed: bytes) -> str:
    """Checksummed address of whoever signed; empty where nobody can have."""
    try:
        return str(Account.recover_transaction(signed))
    except (BadSignature, ValidationError, rlp.exceptions.RLPException, ValueError, TypeError):
        return ""
