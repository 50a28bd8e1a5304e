"""Which chain a person's command is about: any that has a node's URL, or a workdir's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.cli.ending import said
from posthuman.errors import NotFound, UserError
from posthuman.ledger.rpc import open_web3, translated
from posthuman.local.apply import apply_document
from posthuman.local.chain import embedded_chain, has_chain
from posthuman.local.documents import read_documents
from posthuman.local.lock import locked
from posthuman.local.objects import Objects

RPC_URL_ENV = "POSTHUMAN_RPC_URL"


class ChainPlace(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of it. A node's URL comes before the one in the environment's file, whose
    addresses come before those of Ocean's address book."""

    workdir: Path
    rpc_url: str = ""
    environment: Path | None = None


class OpenChain(msgspec.Struct, frozen=True, kw_only=True):
    """A node that answers for this chain."""

    url: str
    spec: ChainSpec


@contextmanager
def opened_chain(place: ChainPlace) -> Iterator[OpenChain]:
    """While the block lasts, in which no event loop runs. Raises UserError, TransientError."""
    if place.environment is None and not place.rpc_url:
        with _kept_chain(place.workdir) as chain:
            yield chain
        return
    spec, url = _of_file(place.environment) if place.environment else (None, "")
    url = place.rpc_url or url
    if not url:
        raise UserError(
            f"{place.environment} lacks the Secret with the node's URL: add it there, or name a "
            f"node yourself, by --rpc or {RPC_URL_ENV}"
        )
    yield OpenChain(url=url, spec=_checked(spec, asyncio.run(_chain_id(url))))


@contextmanager
def _kept_chain(workdir: Path) -> Iterator[OpenChain]:
    if not has_chain(workdir / "chain"):
        raise UserError(
            f"{workdir} holds no chain: name a node's URL (--rpc, or {RPC_URL_ENV}), or the "
            "--workdir of a run that published something (of `make demo`: .demo)"
        )
    said.print("starting the kept chain (about 1 s)")
    with locked(workdir), embedded_chain(workdir / "chain") as chain:
        yield OpenChain(url=chain.url, spec=chain.spec)


def _checked(spec: ChainSpec | None, chain_id: int) -> ChainSpec:
    """The file's, if the node is of that chain; else what the address book has of it."""
    if spec is None:
        return ChainSpec(chain_id=chain_id, rpc_url_secret=SecretKeyRef(name="unused"))
    if spec.chain_id != chain_id:
        raise UserError(
            f"the node answers for chain {chain_id}, the environment is on {spec.chain_id}: name "
            "a node of that chain",
            "ChainIdMismatch",
        )
    return spec


async def _chain_id(url: str) -> int:
    web3 = open_web3(url)
    try:
        with translated("asking the node for its chain id"):
            return await web3.eth.chain_id
    finally:
        await web3.provider.disconnect()


def _of_file(file: Path) -> tuple[ChainSpec, str]:
    """The environment's chain, and the URL of its node if the file has that Secret too."""
    objects = Objects()
    for document in read_documents(file):
        apply_document(objects, document)
    found = objects.all(ComputeEnvironment)
    chain = found[0].spec.chain if len(found) == 1 else None
    if chain is None:
        raise UserError(f"{file} must hold one ComputeEnvironment, with a spec.chain")
    try:
        secret = objects.secret(Key(found[0].spec.work_namespace, chain.rpc_url_secret.name))
    except NotFound:
        return chain, ""
    only = next(iter(secret.values())) if len(secret) == 1 else b""
    return chain, secret.get(chain.rpc_url_secret.key, only).decode().strip()
