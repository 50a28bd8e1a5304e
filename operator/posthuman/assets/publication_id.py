"""The name of a publication, for good: the same after a restore that lost every UID and status."""

from __future__ import annotations

import hashlib

import rfc8785

from posthuman.api.asset import ModelAsset


def publication_id(asset: ModelAsset, chain_id: int) -> str:
    """As the spec gives it; else 64 hex digits of chain, namespace/name, owner and manifest."""
    if asset.spec.publication_id:
        return asset.spec.publication_id
    owner, digest = asset.spec.owner.lower(), asset.spec.source.manifest_digest
    named = rfc8785.dumps([chain_id, str(asset.metadata.key), owner, digest])
    return hashlib.sha256(named).hexdigest()
