"""Lines of a text file, numbered, each checked before anything else looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from algorithms.shared.failures import MalformedDataset

LONGEST_LINE = 16 * 2**20  # bytes: a tokenizer takes some 40 times a text's size in memory


def numbered_lines(name: str, file: Path, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    """From 1, with their ends, as UTF-8 with or without a byte-order mark.

    Raises MalformedDataset, with the line's number.
    """
    with file.open("rb") as raw:
        number = 0
        while line := raw.readline(longest + 1):
            number += 1
            yield number, _text(f"{name}, line {number}", line, number == 1, longest)


def _text(place: str, line: bytes, first: bool, longest: int) -> str:
    if len(line) > longest:
        raise MalformedDataset(
            f"{place}: is longer than {longest:,} bytes; cut the text into several samples."
        )
    if b"\0" in line:
        raise MalformedDataset(f"{place}: holds a NUL byte; this is no text.")
    try:
        return line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedDataset(
            f"{place}: is not UTF-8 (byte {error.start + 1}); save the file as UTF-8."
        ) from error
