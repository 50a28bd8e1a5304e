"""Records: rows of any format, under the task's names of columns, blank ones left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from algorithms.shared.data.base import Record
from algorithms.shared.data.files import data_files
from algorithms.shared.data.readers import rows_of
from algorithms.shared.failures import BadParameter, EmptyDataset, MalformedDataset


def read_records(
    path: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """Every record that isn't blank, of one file or of all a folder's, one in memory at a time.

    `columns`: a required or optional column's name → the file's. A record is blank if each of its
    required columns is null or white space. Raises MalformedDataset with file and line,
    BadParameter for a column that the task doesn't have, EmptyDataset if nothing is left.
    """
    names = {**{name: name for name in [*required, *optional]}, **(columns or {})}
    _refuse_unknown(names, [*required, *optional])
    empty = True
    for name, file in data_files(path):
        for number, row in rows_of(name, file, list(names.values())):
            fields = _fields(place(f"{name}:{number}"), row, names, required)
            if not _is_blank(fields, required):
                empty = False
                yield Record(f"{name}:{number}", fields)
    if empty:
        raise EmptyDataset(f"{path.name} holds no text: every sample is blank, or there is none.")


def place(record_id: str) -> str:
    """An id as a sentence says it: "a.jsonl, line 5"; "a.parquet, row 5"."""
    name, _, number = record_id.rpartition(":")
    return f"{name}, {'row' if name.lower().endswith('.parquet') else 'line'} {number}"


def _refuse_unknown(names: Mapping[str, str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise BadParameter(
                f"Parameter columns: the task has no column {name}; it has {', '.join(known)}."
            )


def _fields(
    place: str, row: Mapping[str, Any], names: Mapping[str, str], required: Sequence[str]
) -> dict[str, Any]:
    for name in required:
        if names[name] not in row:
            present = ", ".join(list(row)[:10]) or "none"
            raise MalformedDataset(
                f"{place}: has no column {names[name]} (there: {present}); name the file's column "
                f'by the parameter columns: {{"{name}": "…"}}.'
            )
    return {name: row[theirs] for name, theirs in names.items() if theirs in row}


def _is_blank(fields: Mapping[str, Any], required: Sequence[str]) -> bool:
    return all(
        fields[name] is None or (isinstance(fields[name], str) and not fields[name].strip())
        for name in required
    )
