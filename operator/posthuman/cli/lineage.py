"""`posthuman lineage`: where a model comes from, from the kept chain and store alone."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.text import Text

from posthuman.api.environment import StoreSpec
from posthuman.assets.lineage import Ancestor, Tracer
from posthuman.assets.lineage_svg import lineage_svg
from posthuman.assets.lineage_tree import lineage_tree
from posthuman.assets.lineage_words import unchecked
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, EmbeddedChain, embedded_chain, has_chain
from posthuman.local.embedded import store_url
from posthuman.local.lock import locked
from posthuman.store.results import open_results

DID = re.compile(r"did:op:[0-9a-f]{64}")
UNCUT = 1000  # columns, where no terminal has fewer: a cut-off DID is none
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


Form = Literal["text", "json", "svg"]  # how it is drawn, on stdout


def show_lineage(
    did: str, workdir: Path, form: Form, svg: Path | None = None, trusted: Sequence[str] = ()
) -> int:
    """Start the node on the kept state, print, stop it; `svg`: a file for the picture too.

    `trusted`: addresses of publishers to believe beside the workdir's own. Raises UserError,
    NotFound.
    """
    _check(did, workdir, trusted)
    said.print("starting the kept chain (about 1 s)")
    with locked(workdir), embedded_chain(workdir / "chain") as chain:
        found = asyncio.run(trace(did, chain, workdir, trusted))
    if svg is not None:
        _write(svg, lineage_svg(found))
    print_lineage(found, form)
    return SUCCEEDED


def print_lineage(found: Ancestor, form: Form) -> None:
    """On stdout."""
    if form == "json":
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif form == "svg":
        print(lineage_svg(found), end="")
    else:
        width = None if sys.stdout.isatty() else UNCUT
        console = Console(highlight=False, width=width)
        console.print(lineage_tree(found))
        if gap := unchecked(found):
            console.print(Text(gap), soft_wrap=True)


async def trace(
    did: str, chain: EmbeddedChain, workdir: Path, trusted: Sequence[str] = ()
) -> Ancestor:
    """The asset and all it comes from; believed are the embedded signer and who is trusted."""
    reader = open_reader(chain.url, chain.spec)
    has_store = (workdir / "store").is_dir()
    store = open_results(StoreSpec(url=store_url(workdir)), {}) if has_store else None
    try:
        publishers = frozenset({account_of(SIGNER_KEY).address, *trusted})
        return await Tracer(reader, publishers, store).trace(did)
    finally:
        await reader.close()


def _check(did: str, workdir: Path, trusted: Sequence[str]) -> None:
    """Raises UserError for what can't be meant."""
    if not DID.fullmatch(did):
        raise UserError(
            f'"{did}" is no DID: it is did:op: and 64 hex digits; a published job has it in '
            "status.asset.did, a ModelAsset in status.did"
        )
    for address in trusted:
        if not ADDRESS.fullmatch(address):
            raise UserError(f'--trust "{address}" is no address: it is 0x and 40 hex digits')
    if not has_chain(workdir / "chain"):
        raise UserError(
            f"{workdir} holds no chain: name the --workdir of a run that published something "
            "(of `make demo`: .demo)"
        )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise UserError(f"{file} can't be written: {error.strerror}") from error
