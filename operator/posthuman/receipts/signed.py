"""receipt.json: a receipt with an EIP-712 signature over the digests of its parts. Pure.

EIP-712 (https://eips.ethereum.org/EIPS/eip-712), so that wallets and contracts can check it too.
One receipt has one form: canonical JSON, lower-case hex, a low `s` (EIP-2). Every other byte
string is refused, even where it would mean the same.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from jobkit.manifest import Record
from posthuman.receipts.content import (
    VERSION,
    Mismatch,
    Receipt,
    canonical_bytes,
    digest_of_json,
)

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SIGNATURE = re.compile(r"0x([0-9a-f]{64})([0-9a-f]{64})(1b|1c)")
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1
DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
]
PARTS = (
    "job",
    "outcome",
    "prefix",
    "manifest",
    "inputs",
    "asset",
    "algorithm",
    "parameters",
    "outputs",
    "times",
    "gpuSeconds",
)
DIGESTS = frozenset({"manifest", "parameters", "outputs"})  # parts that are digests already
RECEIPT_TYPE = [{"name": part, "type": "bytes32"} for part in PARTS]


class SignedReceipt(Record, frozen=True, kw_only=True):
    """The content of receipt.json."""

    receipt: Receipt
    signer: str  # checksummed address
    signature: str  # 0x, then r, s and v in hex


def message_of(receipt: Receipt) -> SignableMessage:
    """What is signed. Raises Mismatch for digests that are none."""
    return encode_typed_data(full_message=typed_data(receipt))


def typed_data(receipt: Receipt) -> dict[str, Any]:
    """As eth_signTypedData_v4 takes it: one sha256 for each part."""
    said = msgspec.to_builtins(receipt)
    return {
        "types": {"EIP712Domain": DOMAIN_TYPE, "Receipt": RECEIPT_TYPE},
        "primaryType": "Receipt",
        "domain": {
            "name": "posthuman receipt",
            "version": str(receipt.version),
            "chainId": receipt.chain_id,
        },
        "message": {part: _digest(part, said[part]) for part in PARTS},
    }


def encode_signed(receipt: Receipt, signer: str, signature: str) -> bytes:
    """The file's bytes."""
    return canonical_bytes(SignedReceipt(receipt=receipt, signer=signer, signature=signature))


def read_signed(raw: bytes) -> SignedReceipt:
    """A receipt whose signature is its signer's; whom to believe is the caller's to say.

    Raises Mismatch, which names what doesn't fit.
    """
    signed = _decoded(raw)
    if signed.receipt.version != VERSION:
        raise Mismatch(f"version: {signed.receipt.version} is not known, only {VERSION} is")
    if recovered(signed) != signed.signer:
        raise Mismatch(f"signature: it is not {signed.signer}'s over what the receipt says")
    return signed


def recovered(signed: SignedReceipt) -> str:
    """The address whose key made the signature. Raises Mismatch where nobody's did."""
    form = SIGNATURE.fullmatch(signed.signature)
    if form is None or int(form[2], 16) > HALF_ORDER:
        raise Mismatch("signature: it is not 0x and 65 bytes in lower-case hex with a low s")
    message = message_of(signed.receipt)
    try:
        return str(Account.recover_message(message, signature=bytes.fromhex(signed.signature[2:])))
    except (BadSignature, ValidationError) as error:
        raise Mismatch("signature: no key can have made it") from error


def _decoded(raw: bytes) -> SignedReceipt:
    try:
        signed = msgspec.json.decode(raw, type=SignedReceipt)
        canonical = canonical_bytes(signed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Mismatch(f"form: this is no receipt: {error}") from error
    if canonical != raw:
        raise Mismatch("form: the file is not the canonical JSON (RFC 8785) of a receipt")
    return signed


def _digest(part: str, value: Any) -> str:
    digest = value if part in DIGESTS else digest_of_json(value)
    if not DIGEST.fullmatch(digest):
        raise Mismatch(f"{part}: {digest!a} is no sha256 digest")
    return "0x" + digest.removeprefix("sha256:")
