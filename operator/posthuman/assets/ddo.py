"""The DDO: what Ocean's markets and providers read of an asset (DDO v4, schema 4.7.0). Pure.

Its hash is sha256 of the compact JSON, before a provider encrypts it (sealing.py). Lineage is not
read from it (lineage.py): the owner may set another one later. The services' `files` are objects
here, until they are put as text. Without `chain.providerUrl` no provider serves the asset yet, and
`serviceEndpoint` names the environment instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jobkit.manifest import Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.assets.did import did_of
from posthuman.assets.service_ddo import service_ddo, services_of
from posthuman.assets.trust import AlgorithmFacts
from posthuman.chain import Metadata

VERSION = "4.7.0"
CONTEXT = "https://w3id.org/did/v1"
NO_ALGORITHMS: Mapping[str, AlgorithmFacts] = {}


def ddo_of(
    asset: ModelAsset,
    environment: ComputeEnvironment,
    chain: ChainSpec,
    manifest: Manifest,
    signer: str,
    algorithms: Mapping[str, AlgorithmFacts] = NO_ALGORITHMS,
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
        "services": [
            service_ddo(spec, asset, environment, chain, signer, algorithms)
            for spec in services_of(asset, environment)
        ],
        "credentials": {"allow": [], "deny": []},
    }


def encode_ddo(ddo: Mapping[str, Any]) -> bytes:
    """Compact JSON, the bytes that are hashed."""
    return json.dumps(ddo, separators=(",", ":"), ensure_ascii=False).encode()


def files_in(ddo: Mapping[str, Any]) -> list[bytes]:
    """What a provider encrypts of each service."""
    return [encode_ddo(service["files"]) for service in ddo["services"]]


def with_files(ddo: Mapping[str, Any], encrypted: Mapping[bytes, str]) -> dict[str, Any]:
    """Files as text: encrypted, else hex of the clear JSON."""
    services = [
        {**service, "files": encrypted.get(content) or "0x" + content.hex()}
        for service, content in zip(ddo["services"], files_in(ddo), strict=True)
    ]
    return {**ddo, "services": services}


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
        "baseModel": _base_model(manifest),
        "task": _task(manifest),
        "algorithm": dict(manifest.algorithm),
        "modelType": model.model_type if model else "",
        "parameterCount": model.parameter_count if model else 0,
        "metrics": dict(manifest.metrics),
        "license": asset.spec.metadata.license,
    }


def _base_model(manifest: Manifest) -> str:
    """DID of the model that it was trained from, else the digest of its files; empty for one that
    wasn't trained here."""
    models = (found for found in manifest.inputs if found.get("kind") == "model")
    base = next(models, {})
    return base.get("did") or base.get("manifestDigest") or ""


def _task(manifest: Manifest) -> str:
    """As the job named it; empty where the algorithm chose."""
    named = manifest.parameters.get("task")
    return named if isinstance(named, str) and named != "auto" else ""
