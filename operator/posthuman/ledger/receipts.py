"""The ReceiptSigner port (chain_ports.py) with the environment's own key; it asks no node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthuman.ledger.keys import SigningKey


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
