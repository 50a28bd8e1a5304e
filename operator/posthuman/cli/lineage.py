"""`posthuman lineage`: where a model comes from, from the kept chain and store alone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
from rich.console import Console

from posthuman.api.environment import StoreSpec
from posthuman.assets.lineage import Ancestor, Tracer
from posthuman.assets.lineage_tree import lineage_tree
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, EmbeddedChain, embedded_chain, has_chain
from posthuman.local.embedded import store_url
from posthuman.local.lock import locked
from posthuman.store.results import open_results

DID = re.compile(r"did:op:[0-9a-f]{64}")


def show_lineage(did: str, workdir: Path, as_json: bool) -> int:
    """Start the node on the kept state, print, stop it. Raises UserError, NotFound."""
    if not DID.fullmatch(did):
        raise UserError(
            f'"{did}" is no DID: it is did:op: and 64 hex digits; a published job has it in '
            "status.asset.did, a ModelAsset in status.did"
        )
    if not has_chain(workdir / "chain"):
        raise UserError(
            f"{workdir} holds no chain: name the --workdir of a run that published something "
            "(of `make demo`: .demo)"
        )
    said.print("starting the kept chain (about 1 s)")
    with locked(workdir), embedded_chain(workdir / "chain") as chain:
        found = asyncio.run(trace(did, chain, workdir))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        Console(highlight=False).print(lineage_tree(found), soft_wrap=True)
    return SUCCEEDED


async def trace(did: str, chain: EmbeddedChain, workdir: Path) -> Ancestor:
    """The asset and all it comes from; the embedded signer is the one known publisher."""
    reader = open_reader(chain.url, chain.spec)
    store = open_results(StoreSpec(url=store_url(workdir)), {})
    try:
        publishers = frozenset({account_of(SIGNER_KEY).address})
        return await Tracer(reader, publishers, store).trace(did)
    finally:
        await reader.close()
