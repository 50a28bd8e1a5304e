"""A ResultStore in memory."""

from __future__ import annotations

import msgspec

from jobkit.manifest import MANIFEST_NAME, Manifest, decode_manifest, digest_of
from posthuman.errors import NotFound, UserError


class FakeResultStore:
    """See ports.ResultStore; `objects` is what it holds."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def check(self) -> None:
        """Memory can always be reached."""

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        """Raises NotFound, UserError."""
        raw = await self.get(f"{prefix}/{MANIFEST_NAME}")
        try:
            return decode_manifest(raw), digest_of(raw)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise UserError(f"{prefix} holds no manifest: {error}") from error

    async def put(self, key: str, content: bytes) -> None:
        """Replaces what is there."""
        self.objects[key] = content

    async def get(self, key: str) -> bytes:
        """Raises NotFound."""
        if key not in self.objects:
            raise NotFound(f"there is no {key}")
        return self.objects[key]

    async def size(self, key: str) -> int:
        """Raises NotFound."""
        return len(await self.get(key))
