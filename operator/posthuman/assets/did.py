"""How Ocean names an asset."""

from __future__ import annotations

import hashlib


def did_of(nft: str, chain_id: int) -> str:
    """The DID of an NFT; `nft` is its checksummed address."""
    return "did:op:" + hashlib.sha256(f"{nft}{chain_id}".encode()).hexdigest()
