"""A folder as an image layer: a tar whose size is known beforehand and whose digest comes with it.

The folder is the upper side of an overlay mount, so what a step deleted is there as a device 0:0
and must be told in the tar's own way.
"""

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

BLOCK_BYTES = 512
END_BYTES = 2 * BLOCK_BYTES
CHUNK_BYTES = 1 << 20
OPAQUE = "trusted.overlay.opaque"


class HashingReader:
    """Reads through to a stream and hashes what goes by."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class LayerTar:
    """The tar of one folder, written while it is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def size_bytes(self) -> int:
        """The tar's size, from the headers alone: the stream around it must be told first."""
        total = END_BYTES
        for member, _ in self._members():
            header = member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            content = -(-member.size // BLOCK_BYTES) * BLOCK_BYTES if member.isreg() else 0
            total += len(header) + content
        return total

    @contextmanager
    def reader(self) -> Iterator[HashingReader]:
        """Give the tar as a stream, made by a child process through a pipe."""
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            self._write_and_exit(write_end)
        os.close(write_end)
        with os.fdopen(read_end, "rb", buffering=CHUNK_BYTES) as source:
            yield HashingReader(source)
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise OSError(f"the tar of {self._folder} broke off")

    def _write_and_exit(self, write_end: int) -> None:
        code = 1
        try:
            with os.fdopen(write_end, "wb", buffering=CHUNK_BYTES) as sink:
                self._write(sink)
            code = 0
        finally:
            os._exit(code)

    def _write(self, sink: IO[bytes]) -> None:
        for member, path in self._members():
            sink.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
            if member.isreg() and member.size:
                _copy(path, member.size, sink)
        sink.write(bytes(END_BYTES))

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, Path]]:
        """Every entry below the folder, sorted, so that equal folders give equal layers."""
        for path in _walk(self._folder):
            name = path.relative_to(self._folder).as_posix()
            yield _member(path, name), path
            if _is_opaque(path):
                yield tarfile.TarInfo(f"{name}/.wh..wh..opq"), path


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))


def _member(path: Path, name: str) -> tarfile.TarInfo:
    facts = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(facts.st_mode)
    member.uid, member.gid = facts.st_uid, facts.st_gid
    member.mtime = int(facts.st_mtime)
    if stat.S_ISREG(facts.st_mode):
        member.size = facts.st_size
    elif stat.S_ISDIR(facts.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(facts.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
        return _whiteout(name)
    else:
        raise OSError(f"{path} is neither file, folder nor link; an image can't hold it")
    return member


def _is_opaque(path: Path) -> bool:
    """Did a step replace this folder as a whole, so that nothing below it shines through?"""
    if not path.is_dir() or path.is_symlink():
        return False
    attributes = os.listxattr(path, follow_symlinks=False)
    return OPAQUE in attributes and os.getxattr(path, OPAQUE) == b"y"


def _whiteout(name: str) -> tarfile.TarInfo:
    """What overlayfs keeps as a device 0:0 is, in a layer, an empty file `.wh.NAME`."""
    path = Path(name)
    return tarfile.TarInfo((path.parent / f".wh.{path.name}").as_posix())


def _copy(path: Path, size: int, sink: IO[bytes]) -> None:
    with path.open("rb") as source:
        remaining = size
        while remaining:
            chunk = source.read(min(CHUNK_BYTES, remaining))
            if not chunk:
                raise OSError(f"{path} shrank while it was read")
            sink.write(chunk)
            remaining -= len(chunk)
    sink.write(bytes(-size % BLOCK_BYTES))
