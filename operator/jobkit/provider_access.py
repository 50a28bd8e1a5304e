"""How a stage step proves itself to Ocean's provider: `provider.json` in its private folder.

The operator writes it, the stage step alone reads it. It holds a token where the provider gives
tokens, else signatures made beforehand, each good for one asset and one nonce; never a key.
"""

from __future__ import annotations

import msgspec

ACCESS_FILE = "provider.json"


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """A signature over an asset's DID and this nonce."""

    nonce: int
    signature: str


class ProviderAccess(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`tickets`: by DID, nonces rising; used where there is no token."""

    consumer: str  # address that the downloads are made as
    token: str = ""
    tickets: dict[str, tuple[Ticket, ...]] = {}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What one request carries."""

    nonce: int
    signature: str = ""
    token: str = ""


class Proofs:
    """One proof a request, each with a higher nonce than the one before it: a provider refuses
    what is lower than the last it saw of an address. Raises nothing; None when none is left."""

    def __init__(self, access: ProviderAccess, now_ns: int) -> None:
        self._access = access
        self._last = 0 if access.tickets else now_ns

    def next(self, did: str, now_ns: int) -> Proof | None:
        """For one request about this asset."""
        if self._access.token:
            self._last = max(self._last + 1, now_ns)
            return Proof(nonce=self._last, token=self._access.token)
        tickets = self._access.tickets.get(did, ())
        ticket = next((found for found in tickets if found.nonce > self._last), None)
        if ticket is None:
            return None
        self._last = ticket.nonce
        return Proof(nonce=ticket.nonce, signature=ticket.signature)

    def raise_floor(self, nonce: int) -> None:
        """The provider has seen this nonce of the address already."""
        self._last = max(self._last, nonce)
