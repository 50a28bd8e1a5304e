"""The ReceiptSigner port (ports.py) with the environment's own key; it asks no node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from posthuman.ledger.account import account_of


def open_receipt_signer(private_key: bytes, chain_id: int) -> KeySigner:
    """Raises UserError for bytes that are no key."""
    return KeySigner(account_of(private_key), chain_id)


class KeySigner:
    """See ports.ReceiptSigner."""

    def __init__(self, account: LocalAccount, chain_id: int) -> None:
        self._account = account
        self._chain_id = chain_id

    @property
    def chain_id(self) -> int:
        """As the environment says."""
        return self._chain_id

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    def sign(self, typed_data: Mapping[str, Any]) -> str:
        """Deterministic (RFC 6979): the same bytes each time it is given the same."""
        message = encode_typed_data(full_message=dict(typed_data))
        return "0x" + self._account.sign_message(message).signature.hex().removeprefix("0x")
