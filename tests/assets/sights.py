"""Worlds as decide() sees them, each whole by default; a test names only what it is about."""

from __future__ import annotations

from typing import Any

import msgspec

from posthuman.api.asset import AssetStatus, TransactionRecord
from posthuman.api.conditions import find_condition
from posthuman.api.meta import FINALIZER, Condition
from posthuman.assets.observed import ChainFacts, Decision, Observed
from posthuman.assets.publication_id import publication_id
from posthuman.chain import CreatedNFT, Publication, Receipt, SignerNonces
from tests.assets.world import DIGEST, MANIFEST, PARENT, model_asset
from tests.builders import CHAIN, environment

EPOCH = "1-first"
SIGNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
DATATOKEN = "0x06B1D212B8da92b83AF328De5eef4E211Da02097"
PUBLICATION = Publication(
    publication_id=publication_id(model_asset(), 8996), parents=(PARENT,), manifest_digest=DIGEST
)
CREATION = CreatedNFT(
    publication=PUBLICATION,
    nft=NFT,
    datatoken=DATATOKEN,
    hash="0xcafe",
    block=3,
    creator=SIGNER,
    nonce=5,
)
PUBLISHED = Condition(type="Published", status="True", reason="Published")


def record(step: str, block: int = 0, raw: str = "0xraw") -> TransactionRecord:
    """Unconfirmed unless it has a block."""
    return TransactionRecord(
        step=step, nonce=5, hash=f"0x{step}", raw="" if block else raw, block=block
    )


def receipt(step: str = "create", succeeded: bool = True, confirmations: int = 1) -> Receipt:
    return Receipt(
        hash=f"0x{step}",
        block=9,
        succeeded=succeeded,
        confirmations=confirmations,
        nft=NFT if step == "create" else "",
        datatoken=DATATOKEN if step == "create" else "",
    )


def created(*records: TransactionRecord, **changes: Any) -> AssetStatus:
    """A status whose NFT is on chain."""
    status = AssetStatus(
        epoch=EPOCH,
        publication_id=PUBLICATION.publication_id,
        nft=NFT,
        datatoken=DATATOKEN,
        chain_id=8996,
        transactions=(record("create", block=4), *records),
    )
    return msgspec.structs.replace(status, **changes)


def seen(
    status: AssetStatus | None = None,
    finalizer: bool = True,
    deleted: bool = False,
    spec: dict[str, Any] | None = None,
    chain: dict[str, Any] | None = None,
    **observed: Any,
) -> Observed:
    """A world where everything can be reached and nothing is on chain yet."""
    asset = model_asset(**(spec or {}))
    meta = msgspec.structs.replace(
        asset.metadata,
        finalizers=(FINALIZER,) if finalizer else (),
        deletion_timestamp="2026-01-01T12:00:00Z" if deleted else None,
    )
    asset = msgspec.structs.replace(asset, metadata=meta, status=status or AssetStatus(epoch=EPOCH))
    world = Observed(
        asset=asset,
        environment=environment(chain={**CHAIN, **(chain or {})}),
        epoch=EPOCH,
        signer=SIGNER,
        nonces=SignerNonces(settled=5, mined=5, pending=5),
        manifest=MANIFEST,
        manifest_digest=DIGEST,
        facts=ChainFacts(owner=SIGNER),
    )
    return msgspec.structs.replace(world, **observed)


def reason(decision: Decision, kind: str = "Published") -> str:
    found = find_condition(decision.status.conditions, kind)
    return found.reason if found else ""
