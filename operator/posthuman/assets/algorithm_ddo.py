"""The DDO of an algorithm: what Ocean's markets and providers read of it (DDO v4, 4.7.0). Pure.

The program is the container's: `files`, which a provider would encrypt, holds in clear the digest
of the folder that the image was built from. A consumer's parameters are those of its JSON Schema.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import rfc8785

from posthuman.api.job import ImageAlgorithm
from posthuman.assets.ddo import CONTEXT, VERSION, encode_ddo
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Publication
from posthuman.environments.program import program_digest
from posthuman.errors import UserError

REFERENCE = re.compile(
    r"(?P<image>[a-z0-9][^@\s]*?)(:(?P<tag>\w[\w.-]{0,127}))?@(?P<digest>sha256:[0-9a-f]{64})"
)
SECONDS_A_DAY = 24 * 3600
WIRE_TYPES = {"integer": "number", "number": "number", "boolean": "boolean"}


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A container image; its digest says which, its tag is for people."""

    image: str
    tag: str
    digest: str


class Algorithm(msgspec.Struct, frozen=True, kw_only=True):
    """What is published. `schema`: JSON Schema of its parameters; `code_digest`: of its folder;
    `entrypoint`: the words that start it."""

    name: str  # as algorithm.json has it
    title: str  # as buyers read it
    description: str
    version: str
    language: str
    entrypoint: tuple[str, ...]
    image: Image
    inputs: Mapping[str, Mapping[str, object]]
    schema: Mapping[str, Any]
    code_digest: str
    license: str = ""
    author: str = ""

    @property
    def program_digest(self) -> str:
        """What an environment's policy names when it trusts this program."""
        image = self.image
        return program_digest(
            ImageAlgorithm(
                reference=image.image, digest=image.digest, entrypoint=self.entrypoint, args=()
            )
        )

    @property
    def container_section_checksum(self) -> str:
        """What an asset's DDO names when its owner trusts this program: Ocean's own digest."""
        words = shlex.join(self.entrypoint) + self.image.digest
        return hashlib.sha256(words.encode()).hexdigest()


def parse_image(reference: str, version: str) -> Image:
    """Of `registry/name:tag@sha256:…`; the version stands for a missing tag. Raises UserError."""
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise UserError(
            f"{reference!r} doesn't say which image: write registry/name:tag@sha256: and the 64 "
            "hex digits that `docker push` prints"
        )
    return Image(image=found["image"], tag=found["tag"] or version, digest=found["digest"])


def publication_of(algorithm: Algorithm, chain_id: int, publisher: str) -> Publication:
    """The same program by the same publisher is one publication, however often it is asked for."""
    who, program = publisher.lower(), algorithm.program_digest
    facts = rfc8785.dumps([chain_id, who, algorithm.name, algorithm.version, program])
    return Publication(
        publication_id=hashlib.sha256(facts).hexdigest(),
        parents=(),
        manifest_digest=algorithm.program_digest,
    )


def algorithm_ddo(
    algorithm: Algorithm, creation: CreatedNFT, chain_id: int, endpoint: str, created: str
) -> dict[str, Any]:
    """`endpoint`: the provider's URL, or a URN where none serves it yet; `created`: ISO 8601."""
    return {
        "@context": [CONTEXT],
        "id": did_of(creation.nft, chain_id),
        "version": VERSION,
        "chainId": chain_id,
        "nftAddress": creation.nft,
        "metadata": _metadata(algorithm, creation, created),
        "services": [_service(algorithm, creation, endpoint)],
        "credentials": {"allow": [], "deny": []},
    }


def _metadata(algorithm: Algorithm, creation: CreatedNFT, created: str) -> dict[str, Any]:
    return {
        "created": created,
        "updated": created,
        "type": "algorithm",
        "name": algorithm.title,
        "description": algorithm.description,
        "author": algorithm.author or creation.creator,
        "license": algorithm.license or "No license stated",
        "algorithm": {
            "language": algorithm.language,
            "version": algorithm.version,
            "container": {
                "entrypoint": shlex.join(algorithm.entrypoint),
                "image": algorithm.image.image,
                "tag": algorithm.image.tag,
                "checksum": algorithm.image.digest,
            },
            "consumerParameters": consumer_parameters(algorithm.schema),
        },
        "additionalInformation": {
            "posthuman": {
                "publicationId": creation.publication.publication_id,
                "algorithm": algorithm.name,
                "programDigest": algorithm.program_digest,
                "codeDigest": algorithm.code_digest,
                "inputs": dict(algorithm.inputs),
            }
        },
    }


def _service(algorithm: Algorithm, creation: CreatedNFT, endpoint: str) -> dict[str, Any]:
    files = {
        "nftAddress": creation.nft,
        "datatokenAddress": creation.datatoken,
        "files": [{"type": "posthuman", "codeDigest": algorithm.code_digest}],
    }
    return {
        "id": "run",
        "type": "compute",
        "name": "Compute",
        "description": "Run this algorithm on data and models, where they live.",
        "files": "0x" + encode_ddo(files).hex(),
        "datatokenAddress": creation.datatoken,
        "serviceEndpoint": endpoint,
        "timeout": SECONDS_A_DAY,
        "compute": {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithmPublishers": [],
            "publisherTrustedAlgorithms": [],
        },
    }


def consumer_parameters(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each property, what a market's form asks for: `default` and `options` are texts there."""
    required = schema.get("required", ())
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    return [_consumer_parameter(name, rule, name in required) for name, rule in properties.items()]


def _consumer_parameter(name: str, rule: Mapping[str, Any], required: bool) -> dict[str, Any]:
    value = _without_null(rule)
    choices: Sequence[object] = value.get("enum", ())
    asked = {
        "name": name,
        "type": "select" if choices else WIRE_TYPES.get(str(value.get("type")), "text"),
        "label": name,
        "required": required,
        "description": str(rule.get("description") or value.get("description") or name),
        "default": _text(rule["default"]) if "default" in rule else "",
    }
    options = json.dumps([{_text(choice): _text(choice)} for choice in choices])
    return asked | ({"options": options} if choices else {})


def _without_null(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of `anyOf` a type and null, the type."""
    kinds: Sequence[Mapping[str, Any]] = rule.get("anyOf", ())
    return next((kind for kind in kinds if kind.get("type") != "null"), rule)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
