"""From records to tokens on disk, a few records in memory at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from algorithms.shared.data.base import DataSpec, Packing, Record
from algorithms.shared.data.draw import Draw
from algorithms.shared.data.records import place, read_records
from algorithms.shared.data.stores import (
    OFFSETS,
    ROWS,
    TOKENS,
    BlockWriter,
    RowWriter,
    block_count,
    token_dtype,
)
from algorithms.shared.data.tokenised import HELD_OUT, UNFINISHED, Facts, file_sizes, publish
from algorithms.shared.failures import BadParameter, EmptyDataset, MalformedDataset
from algorithms.shared.tasks.base import Example, MalformedRecord, ModelTask, PackableTask

HELD_OUT_SHARE = 10  # at most every tenth record is held out
RECORDS_AT_ONCE = 256
CHARACTERS_AT_ONCE = 2**18
NEWS_SECONDS = 10.0


def tokenise(
    path: Path,
    task: ModelTask,
    spec: DataSpec,
    root: Path,
    name: str,
    between_records: Callable[[], None],
) -> None:
    """Write the folder `root/name`. Raises EmptyDataset, MalformedDataset, BadParameter."""
    packed = packed_task(task, spec.packing)
    unfinished = root / f"{name}{UNFINISHED}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    records = read_records(path, task.columns, task.optional, spec.columns)
    draw: Draw[Record] = Draw(spec.held_out_samples, spec.seed, HELD_OUT_SHARE)
    news = _News(draw.rest(records), between_records)
    if packed:
        facts = _write_blocks(unfinished, news, packed, spec.length)
    else:
        facts = _write_rows(unfinished, news, task, spec.length)
    _write_held_out(unfinished / HELD_OUT, draw.chosen())
    publish(unfinished, name, msgspec.structs.replace(facts, sizes=file_sizes(unfinished)))


def packed_task(task: ModelTask, packing: Packing) -> PackableTask | None:
    """The task, if its data set becomes blocks. Raises BadParameter if it can't, but should."""
    if packing == "pad":
        return None
    if isinstance(task, PackableTask):
        return task
    if packing == "pack":
        raise BadParameter(
            f"Parameter packing: the examples of {task.name} can't be packed; use auto or pad."
        )
    return None


class _News:
    """Records on their way, counted; says in the log how far they are, and lets others know."""

    def __init__(self, records: Iterable[Record], between_records: Callable[[], None]) -> None:
        self._records, self._between = records, between_records
        self.count = 0

    def __iter__(self) -> Iterator[Record]:
        told_at = time.monotonic()
        for record in self._records:
            self.count += 1
            yield record
            self._between()
            if time.monotonic() - told_at > NEWS_SECONDS:
                told_at = time.monotonic()
                print(f"tokenising: {self.count:,} samples so far", flush=True)


def _write_blocks(folder: Path, records: _News, task: PackableTask, length: int) -> Facts:
    dtype = token_dtype(max(task.tokenizer.get_vocab().values(), default=0))
    with (folder / TOKENS).open("wb") as tokens:
        writer = BlockWriter(tokens, dtype)
        for batch in batches(records):
            for stream in _streams(batch, task):
                writer.add(stream)
    if not block_count(writer.tokens, length, task.overlap):
        raise EmptyDataset(
            f"The text has {writer.tokens} tokens, too few to predict one: give more text."
        )
    return Facts("blocks", dtype, records.count, writer.tokens, {})


def _write_rows(folder: Path, records: _News, task: ModelTask, length: int) -> Facts:
    with (folder / ROWS).open("wb") as rows, (folder / OFFSETS).open("wb") as offsets:
        writer = RowWriter(rows, offsets)
        for record in records:
            for example in _examples(record, task, length):
                writer.add(example)
    if not writer.tokens:
        raise EmptyDataset(f"None of {records.count} samples gives an example to train on.")
    return Facts("rows", "", records.count, writer.tokens, {})


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Of a few records each, and of fewer where they are long."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += sum(len(value) for value in record.fields.values() if isinstance(value, str))
        if len(batch) >= RECORDS_AT_ONCE or size >= CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _examples(record: Record, task: ModelTask, length: int) -> Iterator[Example]:
    try:
        yield from task.encode(record.fields, length)
    except MalformedRecord as error:
        raise MalformedDataset(f"{place(record.id)}: {error}") from error


def _streams(batch: Sequence[Record], task: PackableTask) -> Sequence[Sequence[int]]:
    """All at once, for speed; one by one only to find the one that is to blame."""
    try:
        return task.streams([record.fields for record in batch])
    except MalformedRecord as error:
        if len(batch) == 1:
            raise MalformedDataset(f"{place(batch[0].id)}: {error}") from error
        return [tokens for record in batch for tokens in _streams([record], task)]


def _write_held_out(file: Path, records: Sequence[Record]) -> None:
    with file.open("wb") as lines:
        for record in records:
            lines.write(_as_json(record) + b"\n")


def _as_json(record: Record) -> bytes:
    try:
        return msgspec.json.encode(record)
    except (TypeError, UnicodeEncodeError) as error:
        raise MalformedDataset(
            f"{place(record.id)}: holds what is neither text nor number nor a list of them."
        ) from error
