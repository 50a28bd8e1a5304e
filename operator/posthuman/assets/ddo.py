"""The DDO: what Ocean's markets and providers read of an asset (DDO v4, schema 4.7.0). Pure.

It is set on chain in clear; its hash is sha256 of the same compact JSON. Lineage is never read from
it (lineage.py): the owner may set another one later.

`files` would be encrypted by the provider that serves the asset. What stands there is hex of plain
JSON that names the manifest: nothing in it is secret, and the weights can't be reached by it, only
by jobs in the environment that keeps them. Without `chain.providerUrl` no provider serves the asset
yet, and `serviceEndpoint` names the environment instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jobkit.manifest import Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.api.quantities import parse_duration_seconds
from posthuman.assets.did import did_of
from posthuman.chain import Metadata

VERSION = "4.7.0"
CONTEXT = "https://w3id.org/did/v1"
SERVICES = {
    "train": ("Training", "Train this model further, where it lives; the result is yours."),
    "infer": ("Inference", "Generate with this model from your own prompts."),
    "evaluate": ("Evaluation", "Measure this model's loss on held-out samples or your own text."),
}


def ddo_of(
    asset: ModelAsset,
    environment: ComputeEnvironment,
    chain: ChainSpec,
    manifest: Manifest,
    signer: str,
) -> dict[str, Any]:
    """The DDO of an asset whose NFT and datatoken stand in its status."""
    status = asset.status
    return {
        "@context": [CONTEXT],
        "id": did_of(status.nft, chain.chain_id),
        "version": VERSION,
        "chainId": chain.chain_id,
        "nftAddress": status.nft,
        "metadata": _metadata(asset, manifest),
        "services": [_service(kind, asset, environment, chain, signer) for kind in SERVICES],
        "credentials": {"allow": [], "deny": []},
    }


def encode_ddo(ddo: Mapping[str, Any]) -> bytes:
    """Compact JSON, the bytes that are hashed."""
    return json.dumps(ddo, separators=(",", ":"), ensure_ascii=False).encode()


def in_clear(clear_text: bytes) -> Metadata:
    """As it is put on chain where no provider encrypts it."""
    return Metadata(data=clear_text, digest=hashlib.sha256(clear_text).digest())


def _metadata(asset: ModelAsset, manifest: Manifest) -> dict[str, Any]:
    metadata = asset.spec.metadata
    return {
        "created": asset.metadata.creation_timestamp,
        "updated": asset.metadata.creation_timestamp,
        "type": "dataset",
        "name": metadata.name,
        "description": metadata.description,
        "tags": list(metadata.tags),
        "author": metadata.author or asset.spec.owner,
        "license": metadata.license or "No license stated",
        "additionalInformation": {"posthuman": _facts(asset, manifest)},
    }


def _facts(asset: ModelAsset, manifest: Manifest) -> dict[str, Any]:
    model = manifest.model
    return {
        "publicationId": asset.status.publication_id,
        "manifestDigest": asset.spec.source.manifest_digest,
        "prefix": asset.spec.source.prefix,
        "parents": list(asset.spec.parents),
        "job": dict(manifest.job),
        "modelType": model.model_type if model else "",
        "parameterCount": model.parameter_count if model else 0,
        "metrics": dict(manifest.metrics),
        "license": asset.spec.metadata.license,
    }


def _service(
    kind: str, asset: ModelAsset, environment: ComputeEnvironment, chain: ChainSpec, signer: str
) -> dict[str, Any]:
    name, description = SERVICES[kind]
    endpoint = f"urn:posthuman:environment:{environment.metadata.name}"
    return {
        "id": kind,
        "type": "compute",
        "name": name,
        "description": description,
        "files": _files(asset),
        "datatokenAddress": asset.status.datatoken,
        "serviceEndpoint": chain.provider_url or endpoint,
        "timeout": int(parse_duration_seconds(environment.spec.limits.max_duration)),
        "compute": {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithmPublishers": [signer],
            "publisherTrustedAlgorithms": [],
        },
    }


def _files(asset: ModelAsset) -> str:
    named = {
        "nftAddress": asset.status.nft,
        "datatokenAddress": asset.status.datatoken,
        "files": [{"type": "posthuman", "manifestDigest": asset.spec.source.manifest_digest}],
    }
    return "0x" + encode_ddo(named).hex()
