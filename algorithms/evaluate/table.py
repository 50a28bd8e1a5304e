"""The models side by side, as lines of text for the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def lines(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> list[str]:
    """A header, and a line a model; names to the left, numbers to the right."""
    header = ["model", *figures]
    cells = [[str(row["model"]), *(_number(row.get(name)) for name in figures)] for row in rows]
    widths = [max(len(line[column]) for line in [header, *cells]) for column in range(len(header))]
    return [_line(line, widths) for line in [header, *cells]]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers])
