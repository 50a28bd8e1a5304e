"""The story's world on the cluster: Alice's environment, everybody's uploads, the same manifests.

What is told and in which words is posthuman.cli.story's; here it is applied with kubectl.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from posthuman.api.environment import ChainSpec
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.cli.story import cast
from posthuman.cli.story.prepare import Data
from posthuman.cli.story.script import (
    ENVIRONMENT_FILE,
    Upload,
    Uploads,
    chain_values,
    filled,
)
from posthuman.ledger.node import CHAIN_ID
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import REPOSITORY
from tests.story import bodies
from tests.story.services import Services

STORE_URL = "s3://posthuman/lab"


def environment_text(services: Services, endpoint: str) -> str:
    """Alice's environment, with its store at an endpoint."""
    return filled(
        ENVIRONMENT_FILE,
        {
            "STORE_URL": STORE_URL,
            "STORE_ENDPOINT": endpoint,
            "STORE_REGION": "us-east-1",
            **chain_values(CHAIN_ID, services.contracts),
        },
    )


def environment_body(services: Services) -> dict[str, Any]:
    """As the cluster gets it."""
    body: dict[str, Any] = yaml.safe_load(environment_text(services, bodies.S3_INSIDE))
    return body


def chain_spec(services: Services) -> ChainSpec:
    """For whoever reads the chain from outside."""
    unused = SecretKeyRef(name="chain-rpc")
    return ChainSpec(
        chain_id=CHAIN_ID,
        rpc_url_secret=unused,
        signer_secret=unused,
        contracts=services.contracts,
    )


async def bring(data: Data, services: Services, folder: Path) -> Uploads:
    """Everybody's own `posthuman upload`, from outside the cluster."""
    place = folder / "lab.yaml"
    secrets = [json.dumps(body) for body in bodies.secrets()]
    place.write_text("\n---\n".join([environment_text(services, services.s3_endpoint), *secrets]))

    async def upload(owner: cast.Person, path: Path, name: str, kind: str) -> Upload:
        return await asyncio.to_thread(_upload, place, owner, path, name, kind)

    model, bobs, charlies, held_out = await asyncio.gather(
        upload(cast.ALICE, data.model, "base-model", "model"),
        upload(cast.BOB, data.bob_text, "text", "dataset"),
        upload(cast.CHARLIE, data.charlie_text, "text", "dataset"),
        upload(cast.ELENA, data.held_out, "held-out", "dataset"),
    )
    return Uploads(model=model, bob_text=bobs, charlie_text=charlies, held_out=held_out)


def apply_manifest(file: str, given: Mapping[str, str]) -> None:
    """One of the story's, with what varies filled in."""
    kubectl("apply", "-f", "-", stdin=filled(file, given))


def read(kind: str, key: Key) -> Mapping[str, Any]:
    """An object of ours, from the API server."""
    found = kubectl("-n", key.namespace, "get", kind, key.name, "-o", "json")
    body: Mapping[str, Any] = json.loads(found)
    return body


def _upload(place: Path, owner: cast.Person, path: Path, name: str, kind: str) -> Upload:
    command = [
        sys.executable, "-m", "posthuman.cli", "upload", str(path), "--owner", owner.address,
        "--name", name, "--kind", kind, "--environment", str(place), "--output", "json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`posthuman upload {path}` failed: {done.stderr}")
    facts = msgspec.json.decode(done.stdout, type=dict[str, Any])
    return Upload(prefix=facts["prefix"], manifest_digest=facts["manifestDigest"])
