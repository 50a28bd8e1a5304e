"""The Files port's contract, on a folder and on a real S3 server (and its fake, beside them)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.api.environment import StoreSpec
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.gateway.ports import Files
from posthuman.ports import ResultStore
from posthuman.store.results import open_results
from posthuman.store.streams import PIECE_BYTES, open_files
from tests.services.s3 import S3Server

LARGE = bytes(range(256)) * 4096 * 3 + b"and the end"  # 3 MiB and a little


class Place(msgspec.Struct, frozen=True):
    """A store, and how it is filled."""

    files: Files
    writer: ResultStore


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        spec = StoreSpec(url=f"file://{tmp_path}/results")
        return Place(open_files(spec, {}), open_results(spec, {}))
    server: S3Server = request.getfixturevalue("s3_server")
    spec = StoreSpec(url=f"s3://{server.bucket}/{tmp_path.name}", endpoint=server.endpoint)
    return Place(open_files(spec, server.credentials), open_results(spec, server.credentials))


async def pieces(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in stream]


async def test_a_file_comes_in_pieces_of_a_mebibyte_at_most(place: Place) -> None:
    await place.writer.put("jobs/u1/large.bin", LARGE)
    found = await pieces(place.files.stream("jobs/u1/large.bin", 0, len(LARGE)))
    assert b"".join(found) == LARGE
    assert max(map(len, found)) <= PIECE_BYTES == 2**20


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (2**20 - 1, 2**20 + 1), (17, 2**21), (len(LARGE) - 1, len(LARGE))]
)
async def test_any_range_of_it(place: Place, start: int, end: int) -> None:
    await place.writer.put("large", LARGE)
    assert b"".join(await pieces(place.files.stream("large", start, end))) == LARGE[start:end]


async def test_nothing_of_it_asks_nobody(place: Place) -> None:
    assert await pieces(place.files.stream("absent", 5, 5)) == []


async def test_a_shorter_object_is_never_taken_for_the_whole(place: Place) -> None:
    await place.writer.put("short", b"12345")
    stream = place.files.stream("short", 0, 9)
    read = b""
    with pytest.raises(TransientError):
        async for piece in stream:
            read += piece
    assert read in (b"", b"12345")


async def test_absence_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound, match="absent"):
        await place.files.size("absent")
    with pytest.raises(NotFound, match="absent"):
        await pieces(place.files.stream("absent", 0, 1))
    with pytest.raises(NotFound, match=r"manifest\.json"):
        await place.files.manifest("jobs/none")


async def test_size_and_manifest(place: Place) -> None:
    file = ManifestFile(path="metrics.json", sha256="0" * 64, size=7, file_class="result")
    raw = encode_manifest(Manifest(files=(file,)))
    await place.writer.put("jobs/u1/manifest.json", raw)
    assert await place.files.size("jobs/u1/manifest.json") == len(raw)
    manifest, digest = await place.files.manifest("jobs/u1")
    assert (manifest.files, digest) == ((file,), digest_of(raw))


async def test_other_bytes_are_no_manifest(place: Place) -> None:
    await place.writer.put("jobs/u1/manifest.json", b"[]")
    with pytest.raises(UserError, match="is no manifest"):
        await place.files.manifest("jobs/u1")


async def test_check_passes_where_the_store_answers(place: Place) -> None:
    await place.files.check()


@pytest.mark.s3
async def test_check_fails_where_it_refuses_us(s3_server: S3Server) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "wrong"}
    spec = StoreSpec(url=f"s3://{s3_server.bucket}/x", endpoint=s3_server.endpoint)
    with pytest.raises(TransientError, match="credentials"):
        await open_files(spec, keys).check()


def test_another_scheme_is_the_admins_mistake() -> None:
    with pytest.raises(UserError, match="s3://bucket/prefix"):
        open_files(StoreSpec(url="gs://bucket"), {})
