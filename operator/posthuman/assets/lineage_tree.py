"""A lineage as people read it: a tree, the newest generation at its root. Pure."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from posthuman.assets.lineage import Ancestor
from posthuman.assets.lineage_words import is_doubtful, lines_of, printable, title_of


def lineage_tree(ancestor: Ancestor) -> Tree:
    """For a rich console; also plain where it prints no colours."""
    tree = Tree(_label(ancestor))
    for parent in ancestor.parents:
        tree.add(lineage_tree(parent))
    return tree


def _label(ancestor: Ancestor) -> Text:
    label = Text(f"{title_of(ancestor)}  {printable(ancestor.did)}")
    for line in lines_of(ancestor):
        label.append("\n")
        label.append(line, style="red" if is_doubtful(ancestor) else "")
    return label
