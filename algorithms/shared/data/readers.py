"""Each format as a stream of rows: their place in the file, and their fields by the file's names.

No reader runs anything that a file holds: JSON and CSV are text, Parquet is read by its schema.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from algorithms.shared.data.formats import format_of
from algorithms.shared.data.lines import LONGEST_LINE, numbered_lines
from algorithms.shared.data.nesting import DEEPEST, is_shallow
from algorithms.shared.failures import MalformedDataset

Rows = Iterator[tuple[int, Mapping[str, Any]]]
LONGEST_PARAGRAPH = 2**20  # characters; a longer one is cut at the end of a line
ROWS_A_BATCH = 64  # of a Parquet file: what is in memory at once
LARGEST_METADATA = 256 * 2**20  # bytes, and entries, that a Parquet footer may announce
PARQUET_OPTIONS = {
    "pre_buffer": False,
    "buffer_size": 2**20,  # bytes that are read at once
    "thrift_string_size_limit": LARGEST_METADATA,
    "thrift_container_size_limit": LARGEST_METADATA,
}


def rows_of(name: str, file: Path, columns: Collection[str]) -> Rows:
    """`name`: as messages call the file. `columns`: those that are wanted, by the file's names.

    Raises MalformedDataset with the place.
    """
    return READERS[format_of(file)](name, file, columns)


def _paragraphs(name: str, file: Path, _columns: Collection[str]) -> Rows:
    """A blank line ends one; it is named by its first line."""
    first, size = 1, 0
    paragraph: list[str] = []
    for number, line in numbered_lines(name, file):
        blank = not line.strip()
        if paragraph and (blank or size + len(line) > LONGEST_PARAGRAPH):
            yield first, {"text": "\n".join(paragraph)}
            paragraph, size = [], 0
        if not blank:
            first = first if paragraph else number
            paragraph.append(line.rstrip("\r\n"))
            size += len(line)
    if paragraph:
        yield first, {"text": "\n".join(paragraph)}


def _json_lines(name: str, file: Path, _columns: Collection[str]) -> Rows:
    for number, line in numbered_lines(name, file):
        if line.strip():
            yield number, _object(f"{name}, line {number}", line)


def _object(place: str, line: str) -> Mapping[str, Any]:
    if not is_shallow(line):
        raise MalformedDataset(f"{place}: is nested more than {DEEPEST} levels deep.")
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MalformedDataset(
            f'{place}: is not JSON ({error}); write an object such as {{"text": "…"}}.'
        ) from error
    if not isinstance(record, dict):
        raise MalformedDataset(f'{place}: is no JSON object; write one such as {{"text": "…"}}.')
    return record


def _comma_separated(name: str, file: Path, _columns: Collection[str]) -> Rows:
    """The first row names the columns; a quoted field may go over several lines."""
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.reader((line for _, line in numbered_lines(name, file)), strict=True)
    number = 1
    try:
        header = _header(name, next(rows, []))
        number = rows.line_num + 1
        for row in rows:
            if row:
                yield number, _by_name(f"{name}, line {number}", header, row)
            number = rows.line_num + 1
    except csv.Error as error:
        raise MalformedDataset(f"{name}, line {number}: is not CSV ({error}).") from error


def _header(name: str, row: list[str]) -> list[str]:
    header = [column.strip() for column in row]
    if len(set(header)) < len(header) or "" in header:
        raise MalformedDataset(
            f"{name}, line 1: the columns' names ({', '.join(header)}) must differ, none empty."
        )
    return header


def _by_name(place: str, header: list[str], row: list[str]) -> Mapping[str, Any]:
    if len(row) != len(header):
        raise MalformedDataset(
            f"{place}: has {len(row)} fields, the header {len(header)}; quote a field that holds a "
            "comma or a line's end."
        )
    return dict(zip(header, row, strict=True))


def _parquet(name: str, file: Path, columns: Collection[str]) -> Rows:
    """Rows are counted from 1. Read page by page: a row group never is in memory whole."""
    import pyarrow  # only here: other formats needn't wait for it
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file, **PARQUET_OPTIONS) as table:
            present = [column for column in columns if column in table.schema_arrow.names]
            for batch in table.iter_batches(ROWS_A_BATCH, columns=present, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    _refuse_too_long(f"{name}, row {number}", row)
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise MalformedDataset(
            f"{name}, from row {number + 1} on: is not Parquet, or damaged ({first_line})."
        ) from error


def _refuse_too_long(place: str, row: Mapping[str, Any]) -> None:
    """The other formats' lines are limited as they are read."""
    for column, value in row.items():
        if isinstance(value, (str, bytes)) and len(value) > LONGEST_LINE:
            raise MalformedDataset(
                f"{place}: {column} is longer than {LONGEST_LINE:,} bytes; cut it into samples."
            )


READERS: dict[str, Callable[[str, Path, Collection[str]], Rows]] = {
    ".txt": _paragraphs,
    ".jsonl": _json_lines,
    ".csv": _comma_separated,
    ".parquet": _parquet,
}
