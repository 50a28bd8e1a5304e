"""The ReceiptSigner port (chain_ports.py) with the environment's own key; it asks no node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthuman.ledger.account import account_of
from posthuman.ledger.keys import LocalKey, SigningKey


def open_receipt_signer(private_key: bytes, chain_id: int) -> KeySigner:
    """With a bare key. Raises UserError for bytes that are no key."""
    return KeySigner(LocalKey(account_of(private_key)), chain_id)


class KeySigner:
    """See chain_ports.ReceiptSigner."""

    def __init__(self, key: SigningKey, chain_id: int) -> None:
        self._key = key
        self._chain_id = chain_id

    @property
    def chain_id(self) -> int:
        """As the environment says."""
        return self._chain_id

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._key.address)

    async def sign(self, typed_data: Mapping[str, Any]) -> str:
        return await self._key.sign_typed_data(typed_data)
