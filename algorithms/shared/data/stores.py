"""Examples on disk, read by position, so that reading one costs one example's memory."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy
from numpy.typing import NDArray

from algorithms.shared.data.base import ExampleStore
from algorithms.shared.tasks.base import Example, PackableTask

TOKENS, ROWS, OFFSETS = "tokens.bin", "rows.bin", "offsets.bin"


class NumberFile:
    """Numbers of one type. Not mapped into memory: mapped pages count as the process's own until
    the machine is short of memory, and a fault of the disk would be a SIGBUS, no exception."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._dtype = numpy.dtype(dtype)
        self._count = os.fstat(self._descriptor).st_size // self._dtype.itemsize

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Those from `start` on, to before `stop` or the file's end."""
        size = self._dtype.itemsize
        raw = os.pread(self._descriptor, (stop - start) * size, start * size)
        return numpy.frombuffer(raw, self._dtype)


class BlockStore(ExampleStore):
    """Documents end to end in one stream of tokens, cut into blocks of `length` tokens.

    With an overlap of 1 every token but the stream's first is a target exactly once.
    """

    def __init__(self, folder: Path, dtype: str, task: PackableTask, length: int) -> None:
        self._tokens = NumberFile(folder / TOKENS, dtype)
        self._task, self._length = task, length

    def __len__(self) -> int:
        return block_count(len(self._tokens), self._length, self._task.overlap)

    def __getitem__(self, index: int) -> Example:
        _check(index, len(self))
        start = index * self._length
        piece = self._tokens.read(start, start + self._length + self._task.overlap)
        return self._task.block(piece.tolist())


class RowStore(ExampleStore):
    """An example a row, of any length: MessagePack, end to end, and where each begins and ends."""

    def __init__(self, folder: Path) -> None:
        self._rows = NumberFile(folder / ROWS, "u1")
        self._offsets = NumberFile(folder / OFFSETS, "<u8")

    def __len__(self) -> int:
        return max(0, len(self._offsets) - 1)

    def __getitem__(self, index: int) -> Example:
        _check(index, len(self))
        start, end = self._offsets.read(index, index + 2).tolist()
        row: Example = msgspec.msgpack.decode(self._rows.read(start, end).data)
        return row


class BlockWriter:
    """Appends a record's tokens to the stream."""

    def __init__(self, tokens: IO[bytes], dtype: str) -> None:
        self._file, self._dtype = tokens, dtype
        self.tokens = 0

    def add(self, tokens: Sequence[int]) -> None:
        """Raises OverflowError for a token beyond the dtype."""
        self._file.write(numpy.array(tokens, dtype=self._dtype).tobytes())
        self.tokens += len(tokens)


class RowWriter:
    """Appends an example."""

    def __init__(self, rows: IO[bytes], offsets: IO[bytes]) -> None:
        self._rows, self._offsets = rows, offsets
        self._end = 0
        self.tokens = 0
        self._write_end()

    def add(self, example: Example) -> None:
        """Of numbers, texts and lists of them."""
        self._end += self._rows.write(msgspec.msgpack.encode(example))
        self._write_end()
        self.tokens += len(example["input_ids"])

    def _write_end(self) -> None:
        self._offsets.write(self._end.to_bytes(8, "little"))


def block_count(tokens: int, length: int, overlap: int) -> int:
    """The last block may be shorter."""
    return max(0, -(-(tokens - overlap) // length))


def token_dtype(largest: int) -> str:
    """The smaller of the two that holds the largest token, little-endian."""
    return "<u2" if largest < 2**16 else "<u4"


def _check(index: int, count: int) -> None:
    """As Python's sequences do; iteration ends by it."""
    if not 0 <= index < count:
        raise IndexError(f"example {index} of {count}")
