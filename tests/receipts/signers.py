"""The environment's key as tests have it: bare."""

from __future__ import annotations

from posthuman.ledger.account import account_of
from posthuman.ledger.keys import LocalKey
from posthuman.ledger.receipts import KeySigner


def open_receipt_signer(private_key: bytes, chain_id: int) -> KeySigner:
    """Raises UserError for bytes that are no key."""
    return KeySigner(LocalKey(account_of(private_key)), chain_id)
