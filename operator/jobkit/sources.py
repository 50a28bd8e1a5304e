"""From an input of the plan to the files that have to be brought, wherever they lie."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from obstore.store import ObjectStore
from yarl import URL

from jobkit.errors import ObjectMissing, UserFault, WorldFault
from jobkit.http_source import HttpSource, Retry, open_uri
from jobkit.manifest import (
    CUSTODY_PREFIX,
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    decode_manifest,
    digest_of,
)
from jobkit.objects import object_size, read_range, read_small
from jobkit.paths import file_name_of, safe_relative
from jobkit.plan import StageInput, UriPolicy
from jobkit.provider import BoughtFile, FileFacts, Provider
from jobkit.transfer import RangeSource, parts_in_order
from jobkit.uri_guard import UriGuard, UriRefused

UPLOADS = "uploads/"


class Wanted:
    """One file to bring: where from, what to call it, and what it must be."""

    def __init__(
        self, name: str, source: RangeSource | BoughtFile, size: int | None, sha256: str = ""
    ) -> None:
        self.name, self.source, self.size, self.sha256 = safe_relative(name), source, size, sha256

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Its content in order: by parallel ranges, where the source has them."""
        if isinstance(self.source, BoughtFile):
            return self.source.stream(self.size)
        if isinstance(self.source, HttpSource) and not self.source.has_ranges:
            return self.source.stream()
        return parts_in_order(self.source, self.size or 0)


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """An input whose files are known. `manifest_digest` is empty for a single file."""

    input: StageInput
    files: tuple[Wanted, ...]
    manifest_digest: str = ""


class StoreSource:
    """An object of the environment's store; obstore retries each range itself."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store, self._key = store, key

    async def read(self, start: int, end: int) -> bytes:
        part = await read_range(self._store, self._key, start, end)
        if len(part) != end - start:
            raise WorldFault("StoreUnavailable", f"{self._key} ends early, at {start + len(part)}")
        return part


class FileSource:
    """A file of this machine (`posthuman run` alone)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, start: int, end: int) -> bytes:
        return await asyncio.to_thread(self._read, start, end)

    def _read(self, start: int, end: int) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return os.pread(descriptor, end - start, start)
        finally:
            os.close(descriptor)


async def resolve_asset(store: ObjectStore, wanted: StageInput) -> Resolved:
    """The files of a published asset. Raises UserFault if its manifest is not the agreed one."""
    return await _resolve_manifest(store, wanted, wanted.asset.strip("/"), wanted.manifest_digest)


async def resolve_upload(store: ObjectStore, wanted: StageInput) -> Resolved:
    """A person's own upload: one object, or a folder with a manifest."""
    key = wanted.upload.strip("/")
    if not key.startswith(UPLOADS):
        raise UserFault("UploadInvalid", f"input {wanted.name}: {key!r} is not below {UPLOADS}")
    safe_relative(key)
    try:
        size = await object_size(store, key)
    except ObjectMissing:
        digest = f"sha256:{wanted.sha256}" if wanted.sha256 else ""
        return await _resolve_manifest(store, wanted, key, digest)
    file = Wanted(key.rpartition("/")[2], StoreSource(store, key), size, wanted.sha256)
    return Resolved(input=wanted, files=(file,))


async def _resolve_manifest(
    store: ObjectStore, wanted: StageInput, prefix: str, expected_digest: str
) -> Resolved:
    raw = await read_small(store, f"{safe_relative(prefix)}/{MANIFEST_NAME}")
    digest = digest_of(raw)
    if expected_digest and digest != expected_digest:
        raise UserFault(
            "ChecksumMismatch",
            f"input {wanted.name}: the manifest of {prefix} has digest {digest}, "
            f"expected {expected_digest}",
        )
    chosen = _files_for(wanted, _parse_manifest(wanted, raw))
    files = tuple(
        Wanted(name, StoreSource(store, f"{prefix}/{file.path}"), file.size, file.sha256)
        for name, file in chosen
    )
    return Resolved(input=wanted, files=files, manifest_digest=digest)


def _parse_manifest(wanted: StageInput, raw: bytes) -> Manifest:
    try:
        return decode_manifest(raw)
    except msgspec.MsgspecError as error:
        message = f"input {wanted.name}: its manifest.json is malformed ({error})"
        raise UserFault("ManifestInvalid", message) from error


def _files_for(wanted: StageInput, manifest: Manifest) -> list[tuple[str, ManifestFile]]:
    """Name below the input's folder → file. A model is what lies below model/, if anything does."""
    for file in manifest.files:
        safe_relative(file.path)
    weights = [
        (file.path.removeprefix(CUSTODY_PREFIX), file)
        for file in manifest.files
        if file.path.startswith(CUSTODY_PREFIX)
    ]
    if wanted.kind != "model":
        return [(file.path, file) for file in manifest.files]
    return weights or [(file.path, file) for file in manifest.files]


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """How this step reaches what isn't the environment's own."""

    session: aiohttp.ClientSession
    guard: UriGuard
    policy: UriPolicy
    retry: Retry


async def resolve_uri(web: Web, wanted: StageInput, hidden_uri: str = "") -> Resolved:
    """One file behind a buyer's URI, which nobody may see if it came in a Secret. Raises UriRefused
    and what the server's answer means."""
    uri, hidden = hidden_uri or wanted.uri, bool(hidden_uri)
    scheme = _scheme_of(wanted, uri)
    told = f"{scheme}:…" if hidden else uri
    if scheme == "s3":
        raise UriRefused(
            told,
            "bring your own data with `posthuman upload` and name it as `upload`, "
            "or name an asset by assetRef",
        )
    if scheme == "file":
        return _resolve_file(web.policy, wanted, uri, told)
    source = await open_uri(web.session, web.guard, uri, web.retry, hidden)
    name = file_name_of(unquote(URL(uri).raw_path), wanted.name)
    name = f"{wanted.name}{PurePosixPath(name).suffix}" if hidden else name
    return Resolved(input=wanted, files=(Wanted(name, source, source.size, wanted.sha256),))


def _scheme_of(wanted: StageInput, uri: str) -> str:
    """Of what is a URI at all; the text itself may be secret, and so is what a parser says of it.
    Raises UserFault."""
    try:
        return URL(uri).scheme.lower()
    except ValueError:
        message = f"input {wanted.name}: what should be its URI is none; correct it"
    raise UserFault("UriRefused", message)


async def resolve_bought(provider: Provider, wanted: StageInput, user_data: str) -> Resolved:
    """Every file of a service, through Ocean's provider. Raises Fault."""
    assert wanted.bought is not None
    found = await provider.files(wanted.bought, user_data)
    if wanted.sha256 and len(found) != 1:
        message = (
            f"input {wanted.name}: {wanted.bought.did} has {len(found)} files, and sha256 names "
            "one; leave sha256 out"
        )
        raise UserFault("ChecksumMismatch", message)
    names = [str(index) for index in range(len(found))]
    if not wanted.numbered:
        names = _own_names(found)
    files = tuple(
        Wanted(
            name, BoughtFile(provider, wanted.bought, index, user_data), file.size, wanted.sha256
        )
        for index, (name, file) in enumerate(zip(names, found, strict=True))
    )
    return Resolved(input=wanted, files=files)


def _own_names(found: list[FileFacts]) -> list[str]:
    """As their servers call them; the number in front where two are called the same."""
    names = [PurePosixPath(file.filename).name or str(n) for n, file in enumerate(found)]
    clash = len(set(names)) < len(names)
    return [f"{number}-{name}" if clash else name for number, name in enumerate(names)]


def _resolve_file(policy: UriPolicy, wanted: StageInput, uri: str, told: str) -> Resolved:
    """Below `file_root` after every link is followed; a link out of it is refused."""
    if not policy.file_root:
        raise UriRefused(told, "files of the machine can't be read here; upload them")
    root = Path(policy.file_root).resolve()
    path = (root / unquote(urlsplit(uri).path)).resolve()
    if not path.is_relative_to(root):
        raise UriRefused(told, f"it lies outside {root}")
    if path.is_dir():
        raise UserFault(
            "InputNotFound",
            f"input {wanted.name}: {path} is a folder, and a URI names one file; bring the folder "
            "by `posthuman upload` and name it as `upload`",
        )
    if not path.is_file():
        raise UserFault("InputNotFound", f"input {wanted.name}: there is no file {path}")
    file = Wanted(path.name, FileSource(path), path.stat().st_size, wanted.sha256)
    return Resolved(input=wanted, files=(file,))
