"""The gateway's Files over s3:// and file://: results are read in pieces, never whole.

Each piece is a ranged read of its own, so that a connection lost in a download of hours costs one
piece, and a reader who is slow holds one piece in memory and no connection to the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from obstore.store import ObjectStore

from jobkit.manifest import Manifest
from jobkit.objects import object_size, read_range
from posthuman.api.environment import StoreSpec
from posthuman.errors import NotFound, TransientError
from posthuman.store.results import CHECK_KEY, ObjectResultStore, core_errors, open_results

PIECE_BYTES = 1024 * 1024


def open_files(store: StoreSpec, credentials: Mapping[str, str]) -> ObjectFiles:
    """An environment's store for reading; `credentials` has AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY. Nothing is sent yet.

    Raises UserError for a URL that is neither s3:// nor file://, TransientError for a folder that
    can't be opened.
    """
    return ObjectFiles(open_results(store, credentials))


class ObjectFiles:
    """Implements posthuman.gateway.ports.Files."""

    def __init__(self, results: ObjectResultStore) -> None:
        self._results = results

    @property
    def _objects(self) -> ObjectStore:
        return self._results.objects

    async def check(self) -> None:
        """Ask for an object that need not be there. Raises TransientError."""
        try:
            await self.size(CHECK_KEY)
        except NotFound:
            return

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        """`<prefix>/manifest.json` and its digest. Raises NotFound, TransientError, UserError."""
        return await self._results.manifest(prefix)

    async def size(self, key: str) -> int:
        """Bytes. Raises NotFound, TransientError."""
        with core_errors():
            return await object_size(self._objects, key)

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes [start, end) in pieces of at most 1 MiB. Raises NotFound, TransientError: also for
        an object that ends before `end`, so that no caller takes a part for the whole."""
        while start < end:
            with core_errors():
                piece = await read_range(self._objects, key, start, min(start + PIECE_BYTES, end))
            if not piece:
                raise TransientError(f"{key!r} ends at {start} bytes, not {end}", "ObjectTooShort")
            start += len(piece)
            yield piece
            del piece  # else it would lie in memory beside the next one
