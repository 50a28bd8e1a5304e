"""Which format a file has: by its suffix, or by its content where it has none.

A marketplace hands a data set's files over as `0`, `1`, …, and a download may have any name.
"""

from __future__ import annotations

import csv
from pathlib import Path

SUFFIXES = (".jsonl", ".txt", ".csv", ".parquet")
LOOKED_AT = 2**16  # bytes
ROWS_COMPARED = 20


def format_of(file: Path) -> str:
    """One of SUFFIXES."""
    suffix = file.suffix.lower()
    return suffix if suffix in SUFFIXES else _by_content(file)


def _by_content(file: Path) -> str:
    """Parquet and JSON begin as nothing else does; CSV has rows of equal width; else it is text."""
    with file.open("rb") as content:
        beginning = content.read(LOOKED_AT)
    if beginning.startswith(b"PAR1"):
        return ".parquet"
    text = beginning.decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith("{"):
        return ".jsonl"
    return ".csv" if _has_equal_rows(text, whole=len(beginning) < LOOKED_AT) else ".txt"


def _has_equal_rows(text: str, whole: bool) -> bool:
    """Two rows of two fields at least; the last line looked at may be cut."""
    lines = text.splitlines()
    try:
        rows = list(csv.reader(lines if whole else lines[:-1], strict=True))
    except csv.Error:
        return False
    widths = {len(row) for row in rows[:ROWS_COMPARED]}
    return len(rows) > 1 and len(widths) == 1 and widths != {1}
