"""Entities of a row of tags, and how many were found: exact matches of type, begin and end.

As CoNLL-2000's and CoNLL-2003's conlleval counts them (Tjong Kim Sang and De Meulder 2003): a span
is right only as a whole, and an I- that continues nothing begins a span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Span(NamedTuple):
    """Words `start` to before `end`."""

    kind: str
    start: int
    end: int


def are_entity_tags(names: Sequence[str]) -> bool:
    """Whether labels are O, B-… and I-…, not parts of speech."""
    parts = [name.partition("-") for name in names if name != OUTSIDE]
    return bool(parts) and all(prefix in ("B", "I") and kind for prefix, _, kind in parts)


def spans(tags: Sequence[str]) -> Iterator[Span]:
    """In order, without overlap."""
    kind, start = "", 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, own = tag.partition("-")
        if kind and (prefix != "I" or own != kind):
            yield Span(kind, start, place)
            kind = ""
        if own and not kind:
            kind, start = own, place


class Found(NamedTuple):
    """Spans that were right, predicted, and there."""

    right: int
    predicted: int
    expected: int


def found(expected: Sequence[str], predicted: Sequence[str]) -> Found:
    """Of one sample's tags."""
    there, made = set(spans(expected)), set(spans(predicted))
    return Found(len(there & made), len(made), len(there))


def precision_recall_f1(every: Sequence[Found]) -> tuple[float, float, float]:
    """Over the spans of all samples together; 0 where there are none to divide by."""
    right, predicted, expected = (sum(column) for column in zip(*every, strict=True))
    precision = right / predicted if predicted else 0.0
    recall = right / expected if expected else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
