"""The services of a model's DDO: what is sold, and which programs come near the model. Pure.

They stand in one order, train, infer, evaluate: an order names a service by its place. Ocean's
own lists hold algorithm assets and their publishers; the environment's signer publishes its
built-ins. To Ocean's provider two empty lists mean that any algorithm may run, so a service that
trusts neither names the zero address, which nobody has. services.py reads what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthuman.api.asset import ModelAsset, ServiceKind, ServiceSpec
from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.api.quantities import parse_duration_seconds
from posthuman.assets.trust import AlgorithmFacts

SERVICES = {
    ServiceKind.TRAIN: (
        "Training",
        "Train this model further, where it lives; the result is yours.",
    ),
    ServiceKind.INFER: ("Inference", "Generate with this model from your own prompts."),
    ServiceKind.EVALUATE: (
        "Evaluation",
        "Measure this model's loss on held-out samples or your own text.",
    ),
}
NOBODY = "0x" + "0" * 40


def services_of(asset: ModelAsset, environment: ComputeEnvironment) -> tuple[ServiceSpec, ...]:
    """As the asset asks, in the order of the DDO; without a word of its own, all of them, for the
    built-ins and the programs that the environment trusts now."""
    trusted = environment.spec.policy.trusted_algorithms
    usual = tuple(ServiceSpec(kind=kind, trusted_algorithms=trusted) for kind in ServiceKind)
    order = list(ServiceKind)
    return tuple(sorted(asset.spec.services or usual, key=lambda spec: order.index(spec.kind)))


def trusted_dids(asset: ModelAsset, environment: ComputeEnvironment) -> tuple[str, ...]:
    """Algorithm assets that the DDO will name, each once."""
    services = services_of(asset, environment)
    named = (name for spec in services for name in spec.trusted_algorithms)
    return tuple(dict.fromkeys(name for name in named if name.startswith("did:")))


def service_ddo(
    spec: ServiceSpec,
    asset: ModelAsset,
    environment: ComputeEnvironment,
    chain: ChainSpec,
    signer: str,
    algorithms: Mapping[str, AlgorithmFacts],
) -> dict[str, Any]:
    """One service; `algorithms`: what the chain says of `trusted_dids`."""
    name, description = SERVICES[spec.kind]
    endpoint = f"urn:posthuman:environment:{environment.metadata.name}"
    longest = spec.timeout or environment.spec.limits.max_duration
    return {
        "id": spec.kind.value,
        "type": "compute",
        "name": name,
        "description": description,
        "files": files_of(asset),
        "datatokenAddress": asset.status.datatoken,
        "serviceEndpoint": chain.provider_url or endpoint,
        "timeout": int(parse_duration_seconds(longest)),
        "compute": {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            **_trust(spec, signer, algorithms),
        },
        "additionalInformation": {
            "posthuman": {
                "builtins": spec.builtins,
                "trustedPrograms": _programs(spec, algorithms),
            }
        },
    }


def _programs(spec: ServiceSpec, algorithms: Mapping[str, AlgorithmFacts]) -> list[str]:
    """By digest: those that were named so, and those in the images of named assets."""
    named = (
        algorithms[name].program if name in algorithms else name for name in spec.trusted_algorithms
    )
    return [name for name in dict.fromkeys(named) if name.startswith("sha256:")]


def files_of(asset: ModelAsset) -> dict[str, Any]:
    """What Ocean's provider would encrypt. Nothing in it is secret, and the weights can't be
    reached by it, only by jobs in the environment that keeps them."""
    return {
        "nftAddress": asset.status.nft,
        "datatokenAddress": asset.status.datatoken,
        "files": [{"type": "posthuman", "manifestDigest": asset.spec.source.manifest_digest}],
    }


def _trust(
    spec: ServiceSpec, signer: str, algorithms: Mapping[str, AlgorithmFacts]
) -> dict[str, Any]:
    named = [algorithms[did] for did in spec.trusted_algorithms if did in algorithms]
    own = (signer,) if spec.builtins else ()
    publishers = list(dict.fromkeys((*own, *spec.trusted_publishers)))
    return {
        "publisherTrustedAlgorithmPublishers": publishers or ([] if named else [NOBODY]),
        "publisherTrustedAlgorithms": [
            {
                "did": found.did,
                "filesChecksum": found.files_checksum,
                "containerSectionChecksum": found.container_section_checksum,
            }
            for found in named
        ],
    }
