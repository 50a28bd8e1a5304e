"""Which rows are computed together: rows of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row of a batch, `samples` texts wide if beams give several."""

    prompt: int  # its number among all prompts
    sample: int  # the first one's number
    tokens: Sequence[int]
    samples: int = 1


def by_length(rows: Sequence[Row]) -> list[Row]:
    """Longest first: what doesn't fit into memory is known at once."""
    return sorted(rows, key=lambda row: (-len(row.tokens), row.prompt, row.sample))


def batches(
    rows: Sequence[Row], new_tokens: int, most_tokens: int, width: int, padded: bool
) -> Iterator[list[Row]]:
    """Cut rows sorted by length, each of `width` beams, into batches of at most `most_tokens`
    (one row at least). Without `padded`, only rows of one length come together."""
    batch: list[Row] = []
    for row in rows:
        longest = len(batch[0].tokens) if batch else len(row.tokens)
        full = (len(batch) + 1) * width * (longest + new_tokens) > most_tokens
        if batch and (full or not (padded or len(row.tokens) == longest)):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
