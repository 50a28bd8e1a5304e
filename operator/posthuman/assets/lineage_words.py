"""What is told of each asset of a lineage, line by line, for text and picture alike. Pure.

Names come from the chain, where anybody may write anything: what could steer a terminal, or pass
for another line, is made visible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from posthuman.assets.lineage import Ancestor, StoreCheck

STORE_WORDS: dict[StoreCheck, str] = {
    "matches": "files in the store match the chain",
    "differs": "FILES IN THE STORE DIFFER from what the chain says",
    "missing": "no files in the store",
    "unreachable": "the store can't be reached",
    "not checked": "files not checked",
}
SHOWN_METRICS = {
    "heldOutLossBefore": "held-out loss before",
    "heldOutLossAfter": "after",
    "lastLoss": "training loss",
    "loss": "loss",
}
ALGORITHM_WORDS = ("name", "version", "image", "digest")
LONGEST = 80  # characters of a word from outside
SUBSTITUTE = "\N{REPLACEMENT CHARACTER}"


def title_of(ancestor: Ancestor) -> str:
    """Its name, as it may be shown."""
    return printable(ancestor.name) or "?"


def lines_of(ancestor: Ancestor) -> list[str]:
    """Owner, what was checked, losses, algorithm, and what doesn't fit."""
    lines = []
    if ancestor.owner:
        lines.append(f"owner {ancestor.owner}, NFT {ancestor.nft}")
    if ancestor.problem:
        return [*lines, ancestor.problem, *_unfollowed(ancestor)]
    lines.append(", ".join([STORE_WORDS[ancestor.store], *_figures(ancestor)]))
    lines += _algorithm(ancestor)
    lines += [f"made from {did} too, which the chain doesn't name" for did in ancestor.unsaid]
    if ancestor.repeated:
        lines.append("its parents are shown where it stands first")
    return lines


def is_doubtful(ancestor: Ancestor) -> bool:
    """Whether something of it doesn't fit."""
    return bool(ancestor.problem or ancestor.unsaid) or ancestor.store == "differs"


def unchecked(ancestor: Ancestor) -> str:
    """What the lineage could not check, in a sentence; empty if everything was."""
    stores = {found.did: found.store for found in everyone(ancestor) if not found.problem}
    open_ones = Counter(store for store in stores.values() if store not in ("matches", "differs"))
    if not open_ones:
        return ""
    why = ", ".join(f"{count} {STORE_WORDS[store]}" for store, count in sorted(open_ones.items()))
    return (
        f"not checked for {open_ones.total()} of {len(stores)} assets ({why}): losses, algorithm "
        "digests, and whether they were trained from the parents that they claim"
    )


def everyone(ancestor: Ancestor) -> Iterator[Ancestor]:
    """The asset and all that are told of it."""
    yield ancestor
    for parent in ancestor.parents:
        yield from everyone(parent)


def printable(text: str) -> str:
    """At most LONGEST characters, each of which shows itself and steers nothing."""
    shown = "".join(letter if letter.isprintable() else SUBSTITUTE for letter in text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _unfollowed(ancestor: Ancestor) -> list[str]:
    return [f"claims the parent {printable(did)}: not followed" for did in ancestor.claimed]


def _figures(ancestor: Ancestor) -> list[str]:
    return [
        f"{words} {ancestor.metrics[name]:.4f}"
        for name, words in SHOWN_METRICS.items()
        if isinstance(ancestor.metrics.get(name), (int, float))
    ]


def _algorithm(ancestor: Ancestor) -> list[str]:
    """By which its manifest says it was made; none for an upload."""
    if not ancestor.algorithm:
        return []
    said = ancestor.algorithm
    words = [printable(said[key]) for key in ALGORITHM_WORDS if said.get(key)]
    return [" ".join(["algorithm", *words])]
