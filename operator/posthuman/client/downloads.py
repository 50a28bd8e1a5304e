"""One result file onto this disk: in pieces, resumed by Range, and believed by its sha256 alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from jobkit.errors import UserFault
from jobkit.paths import safe_relative
from posthuman.client.transport import BROKEN, Transport, path_to
from posthuman.errors import TransientError, UserError
from posthuman.gateway.people.job_view import FileView

PIECE_BYTES = 1024 * 1024
TRIES = 20  # without a new byte in between
PARTIAL = ".part"


class Downloaded(msgspec.Struct, frozen=True):
    """How far one file is."""

    path: str
    bytes: int
    size: int


Told = Callable[[Downloaded], None]


def fetch(transport: Transport, job_id: str, file: FileView, folder: Path, told: Told) -> Path:
    """The file's place in `folder`. Raises UserError: an unsafe name, or other bytes than those
    that the job's manifest names; TransientError."""
    target = folder / _safe(file.path)
    if target.is_file() and _sha256(target) == file.sha256:
        told(Downloaded(file.path, file.size, file.size))
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL)
    _complete(transport, job_id, file, partial, told)
    if _sha256(partial) != file.sha256:
        partial.unlink()
        raise UserError(
            f"{file.path} came with other bytes than the job's manifest says, and is not kept; "
            "download it again, and tell the gateway's admin if that happens twice",
            "DigestMismatch",
        )
    partial.replace(target)
    return target


def _complete(transport: Transport, job_id: str, file: FileView, partial: Path, told: Told) -> None:
    """Until all of it is here, or nothing more comes."""
    partial.touch()
    silent = 0
    while (have := partial.stat().st_size) < file.size:
        _append(transport, job_id, file, partial, told)
        silent = 0 if partial.stat().st_size > have else silent + 1
        if silent == TRIES:
            raise TransientError(f"{file.path} breaks off at {have} of {file.size} bytes again")
    if have > file.size:
        partial.unlink()
        raise TransientError(f"{partial} had more bytes than the file; ask again")
    told(Downloaded(file.path, have, file.size))


def _append(transport: Transport, job_id: str, file: FileView, partial: Path, told: Told) -> None:
    """What comes until the connection ends."""
    have = partial.stat().st_size
    headers = {"Range": f"bytes={have}-", "If-Range": f'"{file.sha256}"'} if have else {}
    path = path_to("jobs", job_id, "results", file.path)
    with transport.open("GET", path, headers=headers) as response:
        if have and response.status != 206:
            have = 0
        with partial.open("r+b") as kept:
            kept.truncate(have)
            kept.seek(have)
            try:
                while piece := response.read(PIECE_BYTES):
                    kept.write(piece)
                    have += len(piece)
                    told(Downloaded(file.path, have, file.size))
            except BROKEN:
                return


def _safe(path: str) -> str:
    try:
        return safe_relative(path)
    except UserFault as fault:
        raise UserError(f"the gateway names a file {path!r}, which could be anywhere") from fault


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
