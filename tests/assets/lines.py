"""Published assets on a chain in memory, each with the DDOs that its owners set."""

from __future__ import annotations

import json
from typing import Any

from posthuman.api.asset import ModelAsset
from posthuman.chain import CreatedNFT, Publication
from tests.builders import ALICE, SIGNER
from tests.fakes.ledger import FakeChain

KINDS = ("train", "infer", "evaluate")


def service(
    kind: str, programs: tuple[str, ...] = (), builtins: bool = True, **compute: Any
) -> dict[str, Any]:
    """A service of a DDO, which trusts the environment's own programs by default."""
    lists = {
        "publisherTrustedAlgorithms": [],
        "publisherTrustedAlgorithmPublishers": [SIGNER],
        **compute,
    }
    ours = {"builtins": builtins, "trustedPrograms": list(programs)}
    return {"id": kind, "compute": lists, "additionalInformation": {"posthuman": ours}}


def ddo(*services: dict[str, Any]) -> bytes:
    """A DDO as far as trust reads it."""
    return json.dumps({"services": services}).encode()


EVERYTHING = ddo(*(service(kind) for kind in KINDS))


def put_line(
    chain: FakeChain,
    asset: ModelAsset,
    *ddos: bytes,
    parents: tuple[str, ...] = (),
    creator: str = SIGNER,
) -> None:
    """The asset's NFT; without DDOs it has one that sells everything."""
    publication = Publication(
        publication_id=asset.metadata.name,
        parents=parents,
        manifest_digest=asset.spec.source.manifest_digest,
    )
    creation = CreatedNFT(
        publication=publication,
        nft=asset.status.nft,
        datatoken="",
        hash="0x1",
        block=1,
        creator=creator,
    )
    chain.put(creation, ALICE, *(ddos or (EVERYTHING,)))
