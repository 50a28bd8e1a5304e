"""`posthuman publish`: an existing model's folder as an asset, in one step.

Checked, uploaded and then published by the same reconcile as any ModelAsset. The publication's id
comes from chain, name, owner and files, so the same command run again finds the same NFT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from jobkit.manifest import ModelFacts
from jobkit.models import inspect_model
from jobkit.outputs import list_folder
from posthuman.api.asset import ModelAsset, Source
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key
from posthuman.assets.observed import METADATA
from posthuman.cli.admitted import admitted
from posthuman.cli.ending import REFUSED, SUCCEEDED, complain, said
from posthuman.cli.logfile import log_to
from posthuman.cli.offer import NO_DIGEST, Offer, described, document_of, key_name
from posthuman.cli.published import Published, as_facts, as_text
from posthuman.cli.run import EXIT_CODES, to_the_end
from posthuman.cli.upload import Target, send, target_of
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.local.apply import apply_document
from posthuman.local.chain import SIGNER_KEY
from posthuman.local.documents import SECRET_KIND, Document, read_documents
from posthuman.local.kept import restore_assets
from posthuman.local.lock import locked
from posthuman.local.objects import Objects
from posthuman.local.outcome import Ending, Outcome
from posthuman.local.session import Place, algorithms_folder, played_environments
from posthuman.store.results import core_errors
from posthuman.store.upload import prefix_of

PLAYED_ENVIRONMENT = "lab"  # that of examples/


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is published: an environment's file, or (if None) what this machine plays."""

    environment: Path | None
    workdir: Path


def publish_model(folder: Path, offer: Offer, site: Site, as_json: bool) -> int:
    """Print its DID and how a job uses it. Raises UserError, TransientError."""
    offer = described(_owned(offer, site), facts_of(folder))
    documents = _documents(site.environment) if site.environment else []
    name = key_name(offer.name)
    nowhere = Source(prefix=prefix_of(offer.owner, name), manifest_digest=NO_DIGEST)
    target = target_of(site.environment, site.workdir)
    objects = admitted([*documents, document_of(offer, _environment(documents), nowhere)])
    if target is None or objects is None:
        return REFUSED
    with ExitStack() as stack:
        stack.enter_context(locked(site.workdir))
        stack.enter_context(log_to(site.workdir / "posthuman.log"))
        source = _uploaded(folder, offer, target, name)
        document = document_of(offer, _environment(documents), source)
        outcome, found, is_old = _published(documents, document, site, as_json)
    if outcome.ending is not Ending.SUCCEEDED:
        complain(f"{document.key}: {outcome.message}")
        return EXIT_CODES[outcome.ending]
    done = Published(asset=found, is_old=is_old, document=document)
    kept = site.workdir if site.environment is None else None
    print(as_facts(done) if as_json else as_text(done, kept))
    return SUCCEEDED


def facts_of(folder: Path) -> ModelFacts:
    """What the model's files say of it, checked before anything begins. Raises UserError."""
    if not folder.is_dir():
        raise UserError(
            f"{folder} is no folder: name one that transformers' save_pretrained wrote, with a "
            "config.json and .safetensors files"
        )
    whole = folder.resolve()  # so that a message can name it
    with core_errors():
        return inspect_model(whole, [found.path for found in list_folder(whole).files])


def _owned(offer: Offer, site: Site) -> Offer:
    """On this machine's own chain the owner may be left out: it is the one who signs."""
    if offer.owner:
        return offer
    if site.environment is not None:
        raise UserError("say whose it becomes: --owner 0x…, an address of 40 hex digits")
    return msgspec.structs.replace(offer, owner=account_of(SIGNER_KEY).address)


def _documents(environment: Path) -> list[Document]:
    """The environment and its Secrets; whatever else the file holds isn't asked for."""
    kinds = (ComputeEnvironment.__name__, SECRET_KIND)
    return [found for found in read_documents(environment) if found.kind in kinds]


def _environment(documents: Sequence[Document]) -> str:
    """Its name; `target_of` has refused a file that doesn't hold exactly one."""
    names = [found.key.name for found in documents if found.kind == ComputeEnvironment.__name__]
    return names[0] if names else PLAYED_ENVIRONMENT


def _uploaded(folder: Path, offer: Offer, target: Target, name: str) -> Source:
    said.print(f"bringing {folder} to the store", markup=False)
    done = asyncio.run(send(folder, target, offer.owner, name, "model"))
    return Source(prefix=done.prefix, manifest_digest=done.manifest_digest)


def _published(
    documents: Sequence[Document], document: Document, site: Site, as_json: bool
) -> tuple[Outcome, ModelAsset, bool]:
    """How it ended, the asset, and whether it was published before. Raises UserError."""
    objects = Objects()
    if site.environment is None:
        restore_assets(objects, site.workdir)
    if objects.find(ModelAsset, document.key):
        return Outcome(ending=Ending.SUCCEEDED), _kept(objects, document), True
    for found in [*documents, document]:
        apply_document(objects, found)
    outcome = _run(objects, _asset(objects, document.key), site, as_json)
    asset = _asset(objects, document.key)
    done = {transaction.step for transaction in asset.status.transactions}
    return outcome, asset, METADATA not in done


def _run(objects: Objects, asset: ModelAsset, site: Site, as_json: bool) -> Outcome:
    place = Place(
        workdir=site.workdir.absolute(),
        file_root=site.workdir.absolute(),
        algorithms=algorithms_folder(),
    )
    with ExitStack() as stack:
        if site.environment is None:
            stack.enter_context(played_environments(objects, place, said.print))
        [outcome] = asyncio.run(to_the_end(objects, place, [asset], as_json))
    return outcome


def _kept(objects: Objects, document: Document) -> ModelAsset:
    """What an earlier run published. Raises UserError if it is another under the same name."""
    kept, wanted = _asset(objects, document.key), Objects()
    apply_document(wanted, document)
    if kept.spec != _asset(wanted, document.key).spec:
        raise UserError(
            f"{document.key} is published already, as {kept.status.did}, with other files, words, "
            "owner or pricing: an asset is published once; choose another --name",
            "NameTaken",
        )
    return kept


def _asset(objects: Objects, key: Key) -> ModelAsset:
    found = objects.find(ModelAsset, key)
    assert found is not None, "it was applied, and nobody deletes it"
    return found
