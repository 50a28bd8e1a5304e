"""Bring one file: parts asked for ahead and in parallel, hashed and written in their order.

At most PARTS_AHEAD parts of a file are in memory. A file appears under its name only when its
sha256 is the expected one; until then it is `<name>.part`.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from jobkit.errors import UserFault, WorldFault

PART_BYTES = 8 * 1024 * 1024
PARTS_AHEAD = 4


class RangeSource(Protocol):
    """Something whose bytes can be asked for by range."""

    async def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), all of them. Raises Fault."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    sha256: str
    size: int


async def parts_in_order(source: RangeSource, size: int) -> AsyncGenerator[bytes, None]:
    """The parts from first to last, PARTS_AHEAD of them under way at any time."""
    pending: deque[asyncio.Task[bytes]] = deque()
    try:
        for start in range(0, size, PART_BYTES):
            end = min(start + PART_BYTES, size)
            pending.append(asyncio.create_task(source.read(start, end)))
            if len(pending) == PARTS_AHEAD:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def receive(
    chunks: AsyncGenerator[bytes, None], target: Path, sha256: str, count: Callable[[int], None]
) -> Received:
    """Write `chunks` to `target`; `sha256` empty: any content will do. `count` is told each size.

    Raises UserFault (ChecksumMismatch, WorkspaceFull) and what the chunks raise.
    """
    part = target.with_name(target.name + ".part")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with HashingWriter(part) as writer:
            async with aclosing(chunks) as stream:
                async for chunk in stream:
                    await asyncio.to_thread(writer.write, chunk)
                    count(len(chunk))
        _check_digest(target, part, sha256, writer.received)
        part.rename(target)
    return writer.received


def _check_digest(target: Path, part: Path, expected: str, received: Received) -> None:
    if expected and received.sha256 != expected.lower():
        part.unlink()
        raise UserFault(
            "ChecksumMismatch",
            f"{target.name} has sha256 {received.sha256}, expected {expected}; "
            "check the file at its source, or correct the sha256 in the manifest",
        )


class HashingWriter:
    """A file that knows the sha256 and the size of what was written to it."""

    def __init__(self, path: Path) -> None:
        self._path, self._hash, self._size = path, hashlib.sha256(), 0
        self._file: BinaryIO

    def __enter__(self) -> HashingWriter:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self._file.write(chunk)
        self._size += len(chunk)

    @property
    def received(self) -> Received:
        return Received(sha256=self._hash.hexdigest(), size=self._size)


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Tell the workspace's errors in ours. Raises UserFault (WorkspaceFull) or WorldFault."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserFault(
                "WorkspaceFull",
                f"the workspace has no room for {target.name}; use smaller inputs, or ask the "
                "environment's admin for a larger workspace",
            ) from error
        raise WorldFault("WorkspaceUnavailable", f"can't write {target}: {error}") from error


def sha256_of(path: Path) -> str:
    """Of a local file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
