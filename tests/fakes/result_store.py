"""A ResultStore in memory, for tests of the core; the contract suite holds it to the real ones."""

from __future__ import annotations

import hashlib

import msgspec

from jobkit.manifest import MANIFEST_NAME, Manifest, decode_manifest, digest_of
from posthuman.errors import NotFound, TransientError, UserError


class FakeResultStore:
    """`objects` is the content by key; with `unavailable` set, every call fails as if offline."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.unavailable = False

    async def check(self) -> None:
        self._reach()

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        key = f"{prefix.rstrip('/')}/{MANIFEST_NAME}"
        raw = await self.get(key)
        try:
            return decode_manifest(raw), digest_of(raw)
        except msgspec.MsgspecError as error:
            raise UserError(f"{key} is no manifest: {error}", "ManifestInvalid") from error

    async def put(self, key: str, content: bytes) -> None:
        self._reach()
        self.objects[key] = content

    async def delete_prefix(self, prefix: str) -> None:
        self._reach()
        for key in [key for key in self.objects if key.startswith(f"{prefix.rstrip('/')}/")]:
            del self.objects[key]

    async def get(self, key: str) -> bytes:
        self._reach()
        if key not in self.objects:
            raise NotFound(f"the store has no object {key!r}")
        return self.objects[key]

    async def size(self, key: str) -> int:
        return len(await self.get(key))

    async def sha256(self, key: str) -> str:
        return hashlib.sha256(await self.get(key)).hexdigest()

    def _reach(self) -> None:
        if self.unavailable:
            raise TransientError("the store can't be reached")
