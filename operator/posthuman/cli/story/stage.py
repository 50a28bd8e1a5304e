"""The story on this machine: the environment moved here, data brought, manifests applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from posthuman.api.admission import admit
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.parse import parse
from posthuman.cli.story.cast import ALICE, BOB, CHARLIE, ELENA, Person
from posthuman.cli.story.prepare import Data
from posthuman.cli.story.script import (
    ENVIRONMENT_FILE,
    Upload,
    Uploads,
    chain_values,
    filled,
)
from posthuman.cli.upload import Kind, Target, send
from posthuman.local.apply import apply_document
from posthuman.local.chain import EmbeddedChain
from posthuman.local.documents import documents_of
from posthuman.local.embedded import moved_here, store_url
from posthuman.local.objects import Objects


def environment_here(workdir: Path, chain: EmbeddedChain) -> ComputeEnvironment:
    """Alice's environment, as the same file has it for a cluster, but with what is here."""
    contracts = chain.spec.contracts
    assert contracts is not None, "an embedded chain has its contracts' addresses"
    text = filled(
        ENVIRONMENT_FILE,
        {
            "STORE_URL": store_url(workdir),
            "STORE_ENDPOINT": "http://localhost",  # a folder has none: replaced below
            "STORE_REGION": "local",
            **chain_values(chain.spec.chain_id, contracts),
        },
    )
    environment = parse(admit(yaml.safe_load(text)), ComputeEnvironment)
    return moved_here(environment, workdir, chain.spec)


async def bring(data: Data, environment: ComputeEnvironment) -> Uploads:
    """Everybody's `posthuman upload`."""
    target = Target(store=environment.spec.store, credentials={})

    async def upload(owner: Person, path: Path, name: str, kind: Kind = "dataset") -> Upload:
        done = await send(path, target, owner.address, name, kind)
        return Upload(prefix=done.prefix, manifest_digest=done.manifest_digest)

    return Uploads(
        model=await upload(ALICE, data.model, "base-model", "model"),
        bob_text=await upload(BOB, data.bob_text, "text"),
        charlie_text=await upload(CHARLIE, data.charlie_text, "text"),
        held_out=await upload(ELENA, data.held_out, "held-out"),
    )


def apply_manifest(objects: Objects, file: str, given: Mapping[str, str]) -> None:
    """`kubectl apply`, with what varies filled in."""
    for document in documents_of(f"examples/story/{file}", filled(file, given)):
        apply_document(objects, document)
