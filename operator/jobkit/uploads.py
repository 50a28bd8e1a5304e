"""Send files to the store: streamed, several at once, hashed as they are read."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from obstore.store import ObjectStore

from jobkit.errors import UserFault, WorldFault
from jobkit.manifest import ManifestFile
from jobkit.meter import Meter
from jobkit.objects import put_bytes, put_chunks
from jobkit.outputs import Found
from jobkit.tasks import together

CHUNK_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000  # S3 allows 10,000 parts an object
FILES_AT_ONCE = 3


async def send_files(
    store: ObjectStore, destination: str, files: Sequence[Found], verb: str = "export"
) -> tuple[ManifestFile, ...]:
    """Upload each file to `<destination>/<path>` and say what was sent. Raises Fault."""
    meter = Meter(verb, sum(file.size - file.first_byte for file in files))
    slots = asyncio.Semaphore(FILES_AT_ONCE)

    async def send(file: Found) -> ManifestFile:
        async with slots:
            return await _send_file(store, f"{destination}/{file.path}", file, meter.add)

    sent = await together(send(file) for file in files)
    print(meter.line(), flush=True)
    return tuple(sorted(sent, key=lambda file: file.path))


async def _send_file(
    store: ObjectStore, key: str, file: Found, count: Callable[[int], None]
) -> ManifestFile:
    with OpenedFile(file, count) as opened:
        if opened.left <= CHUNK_BYTES:
            await put_bytes(store, key, await asyncio.to_thread(opened.read))
        else:
            part_bytes = max(CHUNK_BYTES, opened.left // MAX_PARTS + 1)
            await put_chunks(store, key, iter(opened.read, b""), part_bytes)
        return ManifestFile(
            path=file.path, sha256=opened.sha256, size=opened.sent, file_class=file.file_class
        )


class OpenedFile:
    """A file opened without following a link, which hashes and counts what is read of it."""

    def __init__(self, file: Found, count: Callable[[int], None]) -> None:
        self._file, self._count, self._hash = file, count, hashlib.sha256()
        self.sent, self.left = 0, file.size - file.first_byte

    def __enter__(self) -> OpenedFile:
        self._descriptor = open_beneath(self._file.root, self._file.relative)
        os.lseek(self._descriptor, self._file.first_byte, os.SEEK_SET)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self) -> bytes:
        """The next 8 MiB, at most as many in all as the file had when it was listed."""
        chunk = os.read(self._descriptor, min(CHUNK_BYTES, self.left))
        self._hash.update(chunk)
        self.sent += len(chunk)
        self.left -= len(chunk)
        self._count(len(chunk))
        return chunk

    @property
    def sha256(self) -> str:
        """Of everything read so far."""
        return self._hash.hexdigest()


def open_beneath(root: Path, relative: str) -> int:
    """A descriptor of a regular file below `root`; no component may be a link. Raises Fault."""
    *folders, name = relative.split("/")
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            current = _step_down(current, os.open(folder, flags, dir_fd=current))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(name, flags, dir_fd=current)
    except OSError as error:
        raise WorldFault("OutputChanged", f"can't read {relative}: {error}") from error
    finally:
        os.close(current)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserFault("OutputChanged", f"{relative} is no regular file any more")
    return descriptor


def _step_down(parent: int, child: int) -> int:
    os.close(parent)
    return child
