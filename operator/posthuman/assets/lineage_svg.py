"""A lineage as a picture: a column for each generation, the newest at the left. Pure.

Plain SVG 1.1 without scripts, links or fonts of its own; every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

import msgspec

from posthuman.assets.lineage import Ancestor
from posthuman.assets.lineage_words import (
    everyone,
    is_doubtful,
    lines_of,
    printable,
    title_of,
    unchecked,
)

# Pixels.
LINE, PADDING, MARGIN = 18, 12, 24
LETTER = 7.3  # of 12 px monospace, so that it is known here how wide a text becomes
COLUMN_GAP, ROW_GAP = 60, 18
FONT = "font-family:monospace;font-size:12px;fill:#222"
BOX = "fill:#f7f7f5;stroke:{colour};stroke-width:1.5"
FINE, UNCHECKED, DOUBTFUL = "#2e7d32", "#8a8a8a", "#c62828"


class Box(msgspec.Struct, frozen=True):
    """One asset in its place; `parents` are the boxes it is joined to."""

    ancestor: Ancestor
    x: int
    y: int
    width: int
    parents: tuple[Box, ...] = ()

    @property
    def height(self) -> int:
        """As its lines need."""
        return 2 * PADDING + LINE * len(_lines(self.ancestor))

    @property
    def middle(self) -> int:
        """Where the lines to others begin and end."""
        return self.y + self.height // 2


def lineage_svg(ancestor: Ancestor) -> str:
    """A whole document."""
    longest = max(len(line) for found in everyone(ancestor) for line in _lines(found))
    root, bottom = _placed(ancestor, MARGIN, MARGIN, _width(longest) + 2 * PADDING)
    boxes, note = list(_all(root)), unchecked(ancestor)
    width = MARGIN + max(_width(len(note)) + MARGIN, *(box.x + box.width for box in boxes))
    height = bottom + LINE + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" style="{FONT}">',
            f"<title>Lineage of {escape(title_of(ancestor))}</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *(_edge(box, parent) for box in boxes for parent in box.parents),
            *(_drawn(box) for box in boxes),
            _text(MARGIN, bottom + LINE, note),
            "</svg>",
            "",
        ]
    )


def _placed(ancestor: Ancestor, x: int, y: int, width: int) -> tuple[Box, int]:
    """Its box, in the middle of its parents' boxes, and the y below them all."""
    parents, below = [], y
    for parent in ancestor.parents:
        placed, below = _placed(parent, x + width + COLUMN_GAP, below, width)
        parents.append(placed)
    own = Box(ancestor, x, y, width, tuple(parents))
    if parents:
        middle = (parents[0].middle + parents[-1].middle) // 2
        own = msgspec.structs.replace(own, y=max(y, middle - own.height // 2))
    return own, max(below, own.y + own.height + ROW_GAP)


def _width(letters: int) -> int:
    return math.ceil(letters * LETTER)


def _all(box: Box) -> Iterator[Box]:
    yield box
    for parent in box.parents:
        yield from _all(parent)


def _lines(ancestor: Ancestor) -> list[str]:
    return [title_of(ancestor), printable(ancestor.did), *lines_of(ancestor)]


def _edge(box: Box, parent: Box) -> str:
    start, end = box.x + box.width, parent.x
    bend = (start + end) // 2
    path = (
        f"M{start},{box.middle} C{bend},{box.middle} {bend},{parent.middle} {end},{parent.middle}"
    )
    dashes = ";stroke-dasharray:5" if parent.ancestor.problem else ""
    return f'<path d="{path}" style="fill:none;stroke:{_colour(parent.ancestor)}{dashes}"/>'


def _drawn(box: Box) -> str:
    style = BOX.format(colour=_colour(box.ancestor))
    frame = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" '
        f'style="{style}"/>'
    )
    title, *others = _lines(box.ancestor)
    baseline = box.y + PADDING + LINE - 5
    left = box.x + PADDING
    texts = [_text(left, baseline + LINE * row, line) for row, line in enumerate(others, start=1)]
    return "\n".join([frame, _text(left, baseline, title, ' style="font-weight:bold"'), *texts])


def _text(x: int, y: int, text: str, attributes: str = "") -> str:
    return f'<text x="{x}" y="{y}"{attributes}>{escape(text)}</text>'


def _colour(ancestor: Ancestor) -> str:
    if is_doubtful(ancestor):
        return DOUBTFUL
    return FINE if ancestor.store == "matches" else UNCHECKED
