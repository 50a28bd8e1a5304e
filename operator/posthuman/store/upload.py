"""Bring a person's own files into an environment's store: `uploads/<owner>/<name>/…`.

The manifest comes last, so its existence says that the upload is whole; the same content always
gives the same digest, and other content under a taken name is refused: jobs and assets may already
name the digest of what lies there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from obstore.store import ObjectStore

from jobkit.errors import ObjectMissing
from jobkit.manifest import (
    CUSTODY_PREFIX,
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    ModelFacts,
    digest_of,
    encode_manifest,
)
from jobkit.models import inspect_model
from jobkit.objects import put_bytes, read_small
from jobkit.outputs import MAX_FILES, Found, list_folder
from jobkit.transfer import sha256_of
from jobkit.uploads import send_files
from posthuman.errors import UserError
from posthuman.store.results import core_errors

UPLOADS = "uploads"
_OWNER = re.compile(r"0x[0-9a-f]{40}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

Kind = Literal["model", "dataset", "file"]


async def upload(
    objects: ObjectStore, owner: str, name: str, path: Path, kind: Kind
) -> tuple[str, str]:
    """Upload a file or a folder (its links left out); gives the prefix and the manifest's digest.

    A model goes below model/, so that it stays in the environment. Raises UserError (nothing to
    upload, no safe model, name taken by other content) and TransientError.
    """
    prefix = prefix_of(owner, name)
    with core_errors():
        files, model = await asyncio.to_thread(_look_at, path, kind)
        planned = encode_manifest(
            Manifest(files=await asyncio.to_thread(_hash_all, files), model=model)
        )
        if await _is_there(objects, prefix, planned):
            return prefix, digest_of(planned)
        sent = encode_manifest(
            Manifest(files=await send_files(objects, prefix, files, "upload"), model=model)
        )
        if sent != planned:
            raise UserError(f"{path} changed while it was uploaded; upload it again", "FileChanged")
        await put_bytes(objects, f"{prefix}/{MANIFEST_NAME}", planned)
    return prefix, digest_of(planned)


def prefix_of(owner: str, name: str) -> str:
    """`uploads/<owner in lower case>/<name>`. Raises UserError for what can't be part of a key."""
    if not _OWNER.fullmatch(owner.lower()):
        raise UserError(f"owner {owner!r} is no address: 0x and 40 hex digits are expected")
    if not _NAME.fullmatch(name):
        raise UserError(f"the name {name!r} must be lower case letters, digits, '-' and '.'")
    return f"{UPLOADS}/{owner.lower()}/{name}"


def _look_at(path: Path, kind: Kind) -> tuple[tuple[Found, ...], ModelFacts | None]:
    """The files to send, and for a model what they say of it. Raises UserError, UserFault."""
    folder_prefix = CUSTODY_PREFIX if kind == "model" else ""
    files = _list(path, folder_prefix)
    if not files:
        raise UserError(f"there is nothing to upload at {path}", "NothingToUpload")
    if kind != "model":
        return files, None
    names = [file.path.removeprefix(CUSTODY_PREFIX) for file in files]
    return files, inspect_model(path, names)


def _list(path: Path, prefix: str) -> tuple[Found, ...]:
    if path.is_dir():
        listing = list_folder(path, prefix)
        for line in listing.skipped:
            print(f"upload: {line}")
        if len(listing.files) > MAX_FILES:
            raise UserError(f"{path} holds more than {MAX_FILES} files; pack them into fewer")
        return listing.files
    if not path.is_file():
        return ()
    whole = path.resolve()
    size = whole.stat().st_size
    return (Found(root=whole.parent, relative=whole.name, path=prefix + path.name, size=size),)


def _hash_all(files: Sequence[Found]) -> tuple[ManifestFile, ...]:
    return tuple(
        ManifestFile(
            path=file.path,
            sha256=sha256_of(file.root / file.relative),
            size=file.size,
            file_class=file.file_class,
        )
        for file in files
    )


async def _is_there(objects: ObjectStore, prefix: str, planned: bytes) -> bool:
    """Whether this very content was uploaded before. Raises UserError if other content was."""
    try:
        found = await read_small(objects, f"{prefix}/{MANIFEST_NAME}")
    except ObjectMissing:
        return False
    if found != planned:
        raise UserError(
            f"{prefix} holds other content already, which jobs may name; choose another name",
            "NameTaken",
        )
    return True
