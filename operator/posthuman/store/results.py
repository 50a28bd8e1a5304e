"""ResultStore over s3:// and file://, with jobkit's faults told as the core's errors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
from obstore.store import ObjectStore

from jobkit.errors import Fault, ObjectMissing, UserFault
from jobkit.manifest import MANIFEST_NAME, Manifest, decode_manifest, digest_of
from jobkit.objects import delete_below, object_size, open_store, put_bytes, read_range, read_small
from jobkit.plan import Store
from posthuman.api.environment import StoreSpec
from posthuman.errors import NotFound, TransientError, UserError

PIECE_BYTES = 8 * 1024 * 1024
CHECK_KEY = ".posthuman/check"
CHECK_CONTENT = b"this object proves that the store can be written and read\n"


def open_results(store: StoreSpec, credentials: Mapping[str, str]) -> ObjectResultStore:
    """An environment's store; `credentials` has AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

    Nothing is sent yet. Raises UserError for a URL that is neither s3:// nor file://.
    """
    with core_errors():
        return ObjectResultStore(
            open_store(
                Store(url=store.url, endpoint=store.endpoint, region=store.region), credentials
            )
        )


class ObjectResultStore:
    """The port over any store that obstore can open; `objects` is that store."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects

    async def check(self) -> None:
        """Write one small object and read it back. Raises TransientError."""
        try:
            await self.put(CHECK_KEY, CHECK_CONTENT)
            found = await self.get(CHECK_KEY)
        except NotFound as error:
            raise TransientError("the store's bucket does not exist", "BucketMissing") from error
        if found != CHECK_CONTENT:
            raise TransientError("the store gave back other bytes than it was given")

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        """`<prefix>/manifest.json` and its digest. Raises NotFound, UserError if it is none."""
        key = f"{prefix.rstrip('/')}/{MANIFEST_NAME}"
        raw = await self.get(key)
        try:
            return decode_manifest(raw), digest_of(raw)
        except msgspec.MsgspecError as error:
            raise UserError(f"{key} is no manifest: {error}", "ManifestInvalid") from error

    async def put(self, key: str, content: bytes) -> None:
        """Write a whole object in one step. Raises TransientError."""
        with core_errors():
            await put_bytes(self.objects, key, content)

    async def get(self, key: str) -> bytes:
        """At most 64 MiB. Raises NotFound, TransientError, UserError (too large)."""
        with core_errors():
            return await read_small(self.objects, key)

    async def delete_prefix(self, prefix: str) -> None:
        """The manifest last, so that what is left of a deletion broken off is still known by it.
        Raises TransientError."""
        with core_errors():
            await delete_below(self.objects, prefix.rstrip("/"), last=MANIFEST_NAME)

    async def size(self, key: str) -> int:
        """Bytes of an object. Raises NotFound, TransientError."""
        with core_errors():
            return await object_size(self.objects, key)

    async def sha256(self, key: str) -> str:
        """64 hex digits, read in pieces. Raises NotFound, TransientError."""
        digest = hashlib.sha256()
        with core_errors():
            size = await object_size(self.objects, key)
            for start in range(0, size, PIECE_BYTES):
                end = min(start + PIECE_BYTES, size)
                digest.update(await read_range(self.objects, key, start, end))
        return digest.hexdigest()


@contextmanager
def core_errors() -> Iterator[None]:
    """Tell jobkit's faults as the core's errors, their reasons kept."""
    try:
        yield
    except ObjectMissing as fault:
        raise NotFound(str(fault)) from fault
    except UserFault as fault:
        raise UserError(str(fault), fault.reason) from fault
    except Fault as fault:
        raise TransientError(str(fault), fault.reason) from fault
