"""Which chain a person's command is about: any that has a node's URL, or a workdir's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from posthuman.api.environment import ChainSpec
from posthuman.api.meta import SecretKeyRef
from posthuman.cli.ending import said
from posthuman.cli.known_environment import KnownEnvironment, known_environment
from posthuman.errors import UserError
from posthuman.ledger.rpc import open_web3, translated
from posthuman.local.chain import embedded_chain, has_chain
from posthuman.local.lock import locked

RPC_URL_ENV = "POSTHUMAN_RPC_URL"


class ChainPlace(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of it. A node's URL comes before the one in the environment's file, whose
    addresses come before those of Ocean's address book."""

    workdir: Path
    rpc_url: str = ""
    environment: Path | None = None  # a file, or the name of one in a cluster
    context: str = ""  # of the kubeconfig; the current one if empty


class OpenChain(msgspec.Struct, frozen=True, kw_only=True):
    """A node that answers for this chain."""

    url: str
    spec: ChainSpec


def known(place: ChainPlace) -> KnownEnvironment | None:
    """The environment that was named, if one was. Raises UserError, TransientError."""
    return known_environment(place.environment, place.context) if place.environment else None


@contextmanager
def opened_chain(
    place: ChainPlace, environment: KnownEnvironment | None = None
) -> Iterator[OpenChain]:
    """While the block lasts, in which no event loop runs; `environment`: the place's, if it was
    read already. Raises UserError, TransientError."""
    if place.environment is None and not place.rpc_url:
        with _kept_chain(place.workdir) as chain:
            yield chain
        return
    spec, url = _named(place, environment or known(place))
    url = place.rpc_url or url
    if not url:
        raise UserError(
            f"the URL of a node of {place.environment}'s chain isn't known: name a node yourself, "
            f"by --rpc or {RPC_URL_ENV} (in a file, its Secret may stand beside the environment)"
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


def _named(place: ChainPlace, known: KnownEnvironment | None) -> tuple[ChainSpec | None, str]:
    """The environment's chain, and the URL of its node if that Secret is known too."""
    if known is None:
        return None, ""
    chain = known.environment.spec.chain
    if chain is None:
        raise UserError(f"{place.environment} has no spec.chain: nothing was published there")
    return chain, known.secret(chain.rpc_url_secret).decode().strip()
