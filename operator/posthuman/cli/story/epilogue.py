"""How the story ends: a table, the texts, the family tree, the plot, and where everything lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from posthuman.assets.lineage import Ancestor
from posthuman.assets.lineage_tree import lineage_tree
from posthuman.cli.story.facts import Generation


class Minted(msgspec.Struct, frozen=True, kw_only=True):
    """Bob's whole datatokens: after the publication, and once he had minted more himself."""

    reward: float
    held: float


class Epilogue(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    rows: tuple[Generation, ...]
    texts: tuple[Mapping[str, Any], ...]  # lines of Derek's generations.jsonl
    bobs: Minted
    lineage: Ancestor
    plot: Path


def shown(epilogue: Epilogue, where: str) -> Group:
    """Ready to be printed; `where` says where everything lies."""
    bobs = epilogue.bobs
    parts: list[RenderableType] = [
        table_of(epilogue.rows),
        Text(
            f"\nBob got {bobs.reward:g} datatokens with the publication, minted "
            f"{bobs.held - bobs.reward:g} more himself, with his own key, and holds {bobs.held:g}."
        ),
        Text("\nDerek asked Charlie's model to go on:"),
        *(_generated(line) for line in epilogue.texts),
        Text("\nWhere Charlie's model comes from, by chain and store alone:"),
        Padding(lineage_tree(epilogue.lineage), (0, 0, 0, 2)),
        Text("\n" + where),
    ]
    return Group(*parts)


def table_of(rows: Sequence[Generation]) -> Table:
    """One line a generation."""
    table = Table(
        title="Three generations", title_justify="left", box=box.HORIZONTALS, padding=(0, 1, 0, 0)
    )
    for title in ("asset", "DID", "owner", "parents"):
        table.add_column(title, no_wrap=True)
    for title in ("loss", "tokens\nminted", "GPU-\nseconds"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            _name(row.asset),
            f"{row.did[:10]}…{row.did[-4:]}",  # whole in the tree below
            row.owner,
            ", ".join(map(_name, row.parents)) or "none",
            f"{row.loss:.4f}",
            f"{row.minted:g}",
            f"{row.gpu_seconds:.1f}",
        )
    return table


def _name(asset: str) -> str:
    """Without its namespace, which is the owner's."""
    return asset.rpartition("/")[2]


def texts_of(generations: bytes) -> tuple[Mapping[str, Any], ...]:
    """Derek's generations.jsonl, read."""
    return tuple(json.loads(line) for line in generations.splitlines())


def _generated(line: Mapping[str, Any]) -> Padding:
    words = " ".join(str(line["text"]).split())
    return Padding(Text.assemble((str(line["prompt"]), "bold"), f" {words} …"), (0, 0, 0, 2))


def where_on_a_laptop(epilogue: Epilogue, workdir: Path) -> str:
    """The folder, and what is different on a cluster."""
    return (
        f"Everything lies in {workdir}: store/ (models, results, manifests), chain/ (the chain's "
        f"state), jobs/ (each step's log), {epilogue.plot.name} (the losses as a plot).\n"
        "Loss: nats a token on 10 held-out samples. GPU-seconds: of training, here by CPU "
        "processes.\n"
        "No orders are checked yet: nobody had to pay for Alice's or Bob's model. Nothing is "
        "sealed on a laptop; on a cluster, a worker reaches nothing but its peers.\n"
        "Ask for the family tree again at any time:"
    )


def ask_again(epilogue: Epilogue, workdir: Path) -> str:
    """The command, on one line to be copied."""
    return f"  posthuman lineage {epilogue.rows[-1].did} --workdir {workdir}"
