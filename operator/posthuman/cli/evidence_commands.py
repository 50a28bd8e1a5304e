"""`posthuman lineage` and `posthuman verify`: their options; evidence.py says what they mean."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posthuman.cli.ending import end_with
from posthuman.cli.options import (
    DEFAULT_WORKDIR,
    AnyEnvironment,
    ContextOption,
    Output,
    OutputOption,
    Panel,
    RpcOption,
    StoreEndpointOption,
    StoreOption,
    StoreRegionOption,
    TrustOption,
    Workdir,
)


class LineageForm(StrEnum):
    """How a lineage is drawn."""

    TEXT = "text"
    JSON = "json"
    SVG = "svg"


def add_evidence_commands(app: typer.Typer) -> None:
    """To the program."""
    for command in (lineage, verify):
        app.command(rich_help_panel=Panel.MODELS)(command)


def lineage(
    did: Annotated[str, typer.Argument(help="did:op: and 64 hex digits.")],
    workdir: Workdir = DEFAULT_WORKDIR,
    environment: AnyEnvironment = None,
    context: ContextOption = "",
    rpc: RpcOption = "",
    store: StoreOption = "",
    store_endpoint: StoreEndpointOption = "",
    store_region: StoreRegionOption = "",
    trust: TrustOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="A file to draw the picture in as well.")
    ] = None,
    output: Annotated[
        LineageForm, typer.Option("--output", "-o", help="Form of the result.")
    ] = LineageForm.TEXT,
) -> None:
    """Show where a published model comes from, as chain and store tell it."""
    from posthuman.cli.chain_place import ChainPlace
    from posthuman.cli.evidence import StoreWish
    from posthuman.cli.lineage import show_lineage

    place = ChainPlace(workdir=workdir, rpc_url=rpc, environment=environment, context=context)
    wish = StoreWish(url=store, endpoint=store_endpoint, region=store_region)
    end_with(lambda: show_lineage(did, place, wish, output.value, svg, trust or []))


def verify(
    subject: Annotated[str, typer.Argument(help="A receipt.json, or a DID.")],
    workdir: Workdir = DEFAULT_WORKDIR,
    environment: AnyEnvironment = None,
    context: ContextOption = "",
    rpc: RpcOption = "",
    store: StoreOption = "",
    store_endpoint: StoreEndpointOption = "",
    store_region: StoreRegionOption = "",
    trust: TrustOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check a job's receipt or a model: signature, chain, every file; name what doesn't fit."""
    from posthuman.cli.chain_place import ChainPlace
    from posthuman.cli.evidence import StoreWish
    from posthuman.cli.verify import verify_subject

    place = ChainPlace(workdir=workdir, rpc_url=rpc, environment=environment, context=context)
    wish = StoreWish(url=store, endpoint=store_endpoint, region=store_region)
    end_with(lambda: verify_subject(subject, place, wish, trust or [], output is Output.JSON))
