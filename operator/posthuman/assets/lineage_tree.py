"""A lineage as people read it: a tree, the newest generation at its root. Pure."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from posthuman.assets.lineage import Ancestor

STORE_WORDS = {
    "matches": "files in the store match the chain",
    "differs": "FILES IN THE STORE DIFFER from what the chain says",
    "missing": "no files in the store",
    "unreachable": "the store can't be reached",
    "not checked": "files not checked",
}
SHOWN_METRICS = {
    "heldOutLossBefore": "held-out loss before",
    "heldOutLossAfter": "after",
    "loss": "loss",
}


def lineage_tree(ancestor: Ancestor) -> Tree:
    """For a rich console; also plain where it prints no colours."""
    tree = Tree(_label(ancestor))
    for parent in ancestor.parents:
        tree.add(lineage_tree(parent))
    return tree


def _label(ancestor: Ancestor) -> Text:
    lines = [f"{ancestor.name or '?'}  {ancestor.did}"]
    if ancestor.owner:
        lines.append(f"owner {ancestor.owner}, NFT {ancestor.nft}")
    if ancestor.problem:
        lines.append(ancestor.problem)
    else:
        lines.append(", ".join([STORE_WORDS[ancestor.store], *_figures(ancestor)]))
    return Text("\n".join(lines))


def _figures(ancestor: Ancestor) -> list[str]:
    return [
        f"{words} {ancestor.metrics[name]:.4f}"
        for name, words in SHOWN_METRICS.items()
        if isinstance(ancestor.metrics.get(name), (int, float))
    ]
