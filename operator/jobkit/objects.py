"""The result store, opened: obstore over s3:// and file://, its errors told in our words.

The one place that knows obstore's constructors and exceptions; posthuman.store builds on it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, ObjectStore, S3Store

from jobkit.errors import ObjectMissing, UserFault, WorldFault
from jobkit.plan import Store

T = TypeVar("T")
_PASSING = re.compile(
    r" in [0-9.]+(?:ns|µs|ms|s)\b|<(RequestId|HostId|Resource|Date)>[^<]*</\1>", re.ASCII
)
_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="store")

if TYPE_CHECKING:
    from obstore.store import S3Config

ACCESS_KEY_ENV = "AWS_ACCESS_KEY_ID"
SECRET_KEY_ENV = "AWS_SECRET_ACCESS_KEY"
DEFAULT_REGION = "us-east-1"
MAX_RETRIES = 4
RETRY_TIMEOUT_SECONDS = 30  # after it the step fails and the operator decides
PARTS_AT_ONCE = 4  # of one object that is written
SMALL_OBJECT_BYTES = 64 * 1024 * 1024  # manifests and the like; nothing larger is held in memory


def open_store(store: Store, credentials: Mapping[str, str]) -> ObjectStore:
    """Open `store.url`; keys are then relative to it. Nothing is sent yet.

    `credentials` holds AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (`os.environ` in a pod).
    Raises UserFault for a URL that is neither s3:// nor file://.
    """
    parts = urlsplit(store.url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return _open_folder(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return _open_s3(store, parts.netloc, parts.path.strip("/"), credentials)
    raise UserFault(
        "StoreInvalid",
        f"the store's url {store.url!r} must be s3://bucket/prefix or file:///folder",
    )


def _open_folder(folder: Path) -> ObjectStore:
    try:
        return LocalStore(prefix=folder, mkdir=True)
    except (BaseError, OSError) as error:
        raise WorldFault("StoreUnavailable", f"can't open the store's folder {folder}") from error


def _open_s3(store: Store, bucket: str, prefix: str, credentials: Mapping[str, str]) -> ObjectStore:
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=_s3_config(store, credentials),
        client_options={"allow_http": store.endpoint.startswith("http://")},
        retry_config={
            "max_retries": MAX_RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_TIMEOUT_SECONDS),
        },
    )


def _s3_config(store: Store, credentials: Mapping[str, str]) -> S3Config:
    """Without keys obstore looks for the machine's own role, as AWS's clients do."""
    config: S3Config = {
        "region": store.region or DEFAULT_REGION,
        "virtual_hosted_style_request": False,
    }
    if store.endpoint:
        config["endpoint"] = store.endpoint
    if credentials.get(ACCESS_KEY_ENV):
        config["access_key_id"] = credentials[ACCESS_KEY_ENV]
        config["secret_access_key"] = credentials.get(SECRET_KEY_ENV, "")
    return config


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    """Tell obstore's errors in ours. Raises ObjectMissing or WorldFault."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(key) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise WorldFault(
            "StoreForbidden", f"the store refuses the environment's credentials at {key!r}"
        ) from error
    except (BaseError, OSError) as error:
        raise WorldFault(
            "StoreUnavailable", f"the store failed at {key!r}: {_said(error)}"
        ) from error


def _said(error: Exception) -> str:
    """What stays the same when the same thing fails again: a status that tells it must not change
    with each try, or writing it would be the cause of the next."""
    said = str(error).partition("\n\nDebug source")[0]
    return _PASSING.sub("", said)


async def read_small(store: ObjectStore, key: str) -> bytes:
    """A whole object of at most 64 MiB. Raises ObjectMissing, WorldFault, UserFault (too large)."""

    def read() -> bytes:
        result = obstore.get(store, key)
        if result.meta["size"] > SMALL_OBJECT_BYTES:
            raise UserFault("ObjectTooLarge", f"{key!r} has more than {SMALL_OBJECT_BYTES} bytes")
        return bytes(result.bytes())

    return await _in_thread(key, read)


async def object_size(store: ObjectStore, key: str) -> int:
    """Bytes of an object. Raises ObjectMissing, WorldFault."""
    return await _in_thread(key, lambda: obstore.head(store, key)["size"])


async def read_range(store: ObjectStore, key: str, start: int, end: int) -> bytes:
    """Bytes [start, end), fewer if the object ends before. Raises ObjectMissing, WorldFault."""
    return await _in_thread(key, lambda: bytes(obstore.get_range(store, key, start=start, end=end)))


async def delete_below(store: ObjectStore, prefix: str, last: str) -> None:
    """Every object below `<prefix>/`, and `<prefix>/<last>` after all others; absent is done.
    Raises WorldFault."""

    def delete() -> None:
        for batch in obstore.list(store, prefix=f"{prefix}/"):
            paths = [found["path"] for found in batch if found["path"] != f"{prefix}/{last}"]
            if paths:
                obstore.delete(store, paths)
        with suppress(FileNotFoundError):  # S3 says nothing of it, a folder does
            obstore.delete(store, f"{prefix}/{last}")

    await _in_thread(prefix, delete)


async def put_bytes(store: ObjectStore, key: str, content: bytes) -> None:
    """Write a whole object in one step. Raises WorldFault."""
    await _in_thread(key, lambda: obstore.put(store, key, content))


async def put_chunks(
    store: ObjectStore, key: str, chunks: Iterator[bytes], part_bytes: int
) -> None:
    """Write a large object in parts; `chunks` is read in another thread. Raises WorldFault."""

    def put() -> object:
        return obstore.put(
            store,
            key,
            chunks,
            use_multipart=True,
            chunk_size=part_bytes,
            max_concurrency=PARTS_AT_ONCE,
        )

    await _in_thread(key, put)


async def _in_thread(key: str, call: Callable[[], T]) -> T:
    """Await one of obstore's blocking calls.

    Its coroutines are not used: their runtime comes back to Python from threads of its own, and
    aborts the process if the interpreter is just ending
    (https://github.com/PyO3/pyo3-async-runtimes/issues/40).
    """
    with _store_errors(key):
        return await asyncio.get_running_loop().run_in_executor(_THREADS, call)
