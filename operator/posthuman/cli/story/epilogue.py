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
from posthuman.cli.earnings_account import OwnerAccount
from posthuman.cli.story.cast import name_of
from posthuman.cli.story.facts import Generation
from posthuman.cli.story.shop import Minted


class Epilogue(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    rows: tuple[Generation, ...]
    texts: tuple[Mapping[str, Any], ...]  # lines of Derek's generations.jsonl
    bobs: Minted
    earned: tuple[OwnerAccount, ...]  # Alice's and Bob's
    lineage: Ancestor
    plot: Path


def shown(epilogue: Epilogue, where: str) -> Group:
    """Ready to be printed; `where` says where everything lies."""
    bobs = epilogue.bobs
    parts: list[RenderableType] = [
        table_of(epilogue.rows),
        Text(
            f"\nBob got {bobs.reward:g} datatokens with the publication, minted "
            f"{bobs.held - bobs.reward:g} more himself, with his own key, and held {bobs.held:g}."
        ),
        Text("\nWhat was earned, by the chain's events:"),
        *(Padding(Text(line), (0, 0, 0, 2)) for found in epilogue.earned for line in income(found)),
        Text("\nDerek asked Charlie's model to go on:"),
        *(_generated(line) for line in epilogue.texts),
        Text("\nWhere Charlie's model comes from, by chain and store alone:"),
        Padding(lineage_tree(epilogue.lineage), (0, 0, 0, 2)),
        Text("\n" + where),
    ]
    return Group(*parts)


def income(found: OwnerAccount) -> list[str]:
    """Lines: what an address sold of each asset, and its share as the market's owner."""
    name = name_of(found.address)
    lines = [
        f"{name}: {sold.owner} from the exchange, which sold {sold.datatokens} x {asset.name}"
        for asset in found.assets
        for sold in asset.sold
    ]
    orders = sum(share.orders for share in found.market_shares)
    for money in found.market_in_all:
        lines.append(f"{name}, as the market's owner: {money} from {orders} orders")
    return lines


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
        "Each job named its order on chain, and none would have run without. The OCEAN and the "
        "keys (anvil's well-known ones) are this local chain's: worth nothing elsewhere.\n"
        "Nothing is sealed on a laptop; on a cluster, a worker reaches nothing but its peers.\n"
        "Ask again at any time:"
    )


def ask_again(epilogue: Epilogue, workdir: Path) -> str:
    """The commands, each on one line to be copied."""
    return (
        f"  posthuman lineage {epilogue.rows[-1].did} --workdir {workdir}\n"
        f"  posthuman earnings {epilogue.earned[0].address} --workdir {workdir}"
    )
