"""Who signed a request of Ocean's provider.

The provider signs keccak256("\\x19Ethereum Signed Message:\\n32" || keccak256(message)), the
message being `owner [+ jobId] + nonce`; its v is 0/1 or 27/28 (ocean_provider/utils/accounts.py).
Upstream's backend recovers the signer before it appends the nonce; here the nonce is part of it.
"""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

SIGNATURE_BYTES = 65
MAX_NONCE_DIGITS = 30


class NotRecoverable(ValueError):
    """No address signed this."""


def recover(signature: object, message: str) -> str:
    """The signer's address in lower case. Raises NotRecoverable."""
    try:
        raw = _bytes_of(signature)
        signed = encode_defunct(primitive=keccak(text=message))
        address: str = Account.recover_message(signed, signature=raw)
    except (ValueError, TypeError, BadSignature, ValidationError) as error:
        raise NotRecoverable(str(error)) from error
    return address.lower()


def _bytes_of(signature: object) -> bytes:
    if not isinstance(signature, str):
        raise NotRecoverable("a signature is a text")
    raw = bytes.fromhex(signature.removeprefix("0x"))
    if len(raw) != SIGNATURE_BYTES:
        raise NotRecoverable(f"a signature has {SIGNATURE_BYTES} bytes, not {len(raw)}")
    return raw


def message_of(owner: str, job_id: str, nonce: str) -> str:
    """What is signed. `nonce` as it came: an int's digits, or a query's text."""
    return f"{owner}{job_id}{nonce}"


def nonce_text(nonce: object) -> str:
    """The text of it that was signed. Raises ValueError for what is neither text nor number."""
    if isinstance(nonce, bool) or not isinstance(nonce, (int, float, str)):
        raise ValueError("a nonce is a number or its text")
    return str(nonce)


def nonce_number(text: str) -> int:
    """Raises ValueError. Nonces of nanoseconds are beyond a double's 2^53: never by way of one."""
    whole = text.strip()
    if len(whole) > MAX_NONCE_DIGITS or not whole.isascii() or not whole.isdigit():
        raise ValueError(f'"{whole[:MAX_NONCE_DIGITS]}" is no whole number')
    return int(whole)
