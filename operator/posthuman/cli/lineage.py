"""`posthuman lineage`: where a model comes from, from chain and store alone."""

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
from posthuman.cli.chain_place import ChainPlace, OpenChain
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.cli.evidence import ADDRESS as ADDRESS
from posthuman.cli.evidence import Evidence, StoreWish, opened_evidence
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, EmbeddedChain
from posthuman.local.embedded import store_url
from posthuman.store.results import open_results

DID = re.compile(r"did:op:[0-9a-f]{64}")
UNCUT = 1000  # columns, where no terminal has fewer: a cut-off DID is none

Form = Literal["text", "json", "svg"]  # how it is drawn, on stdout


def show_lineage(
    did: str,
    place: ChainPlace,
    store: StoreWish,
    form: Form,
    svg: Path | None = None,
    trusted: Sequence[str] = (),
) -> int:
    """Print it; `svg`: a file for the picture too; `trusted`: addresses of publishers to believe
    beside the place's own. Raises UserError, NotFound, TransientError.
    """
    if not DID.fullmatch(did):
        raise UserError(
            f'"{did}" is no DID: it is did:op: and 64 hex digits; a published job has it in '
            "status.asset.did, a ModelAsset in status.did"
        )
    with opened_evidence(place, store, trusted) as evidence:
        found = asyncio.run(_traced(did, evidence))
    if svg is not None:
        _write(svg, lineage_svg(found))
    print_lineage(found, form)
    if evidence.no_store:
        said.print(f"the store was not read: {evidence.no_store}", markup=False)
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


async def trace(did: str, kept: EmbeddedChain, workdir: Path) -> Ancestor:
    """The asset and all it comes from, of a workdir's own chain and store."""
    publishers = frozenset({str(account_of(SIGNER_KEY).address)})
    store = open_results(StoreSpec(url=store_url(workdir)), {})
    chain = OpenChain(url=kept.url, spec=kept.spec)
    return await _traced(did, Evidence(chain=chain, publishers=publishers, store=store))


async def _traced(did: str, evidence: Evidence) -> Ancestor:
    reader = open_reader(evidence.chain.url, evidence.chain.spec)
    try:
        return await Tracer(reader, evidence.publishers, evidence.store).trace(did)
    finally:
        await reader.close()


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise UserError(f"{file} can't be written: {error.strerror}") from error
