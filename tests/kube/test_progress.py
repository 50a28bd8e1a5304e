"""Whose log is followed, and what is read of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from posthuman.api.meta import Key
from posthuman.errors import NotFound
from posthuman.kube.progress import MAX_LINE_BYTES, ProgressReader, lines
from posthuman.kube.resources import Resource
from posthuman.kube.seen import seen_pod
from tests.kube.objects import pod_body, running

LINE = '{"posthuman": "progress", "percent": %d, "step": 3}\n'


def stream_of(*chunks: bytes) -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    stream = aiohttp.StreamReader(BaseProtocol(loop), 2**20, loop=loop)
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()
    return stream


class Logs:
    """A client that has only logs, by the pod's name; each can be read once."""

    def __init__(self) -> None:
        self.of: dict[str, bytes] = {}
        self.asked: list[Key] = []

    @asynccontextmanager
    async def stream_log(
        self, resource: Resource, namespace: str, name: str, params: Any
    ) -> AsyncIterator[aiohttp.StreamReader]:
        self.asked.append(Key(namespace, name))
        if name not in self.of:
            raise NotFound(f"pod {name} is gone")
        yield stream_of(self.of.pop(name))


class Bench:
    def __init__(self) -> None:
        self.logs = Logs()
        self.told: list[Key] = []
        self.reader = ProgressReader(self.logs, self.told.append, lambda pod: True)

    async def show(self, **pod: Any) -> None:
        self.reader.pod_changed(seen_pod(pod_body(**pod)))
        await self.reader.followed()


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    bench.logs.of["run-1-0-abcde"] = (LINE % 12 + "free text\n" + LINE % 50).encode()
    return bench


async def test_the_newest_line_of_rank_0_counts(bench: Bench) -> None:
    bench.reader.retry_seconds = 0.0
    await bench.show(phase="Running", main=running())
    found = bench.reader.latest[Key("work", "run-1")]
    assert (found.percent, found.step) == (50, 3)
    assert found.updated_at
    assert bench.told == [Key("bob", "bob-trains")] * 2
    bench.reader.job_gone(Key("work", "run-1"))
    assert not bench.reader.latest


@pytest.mark.parametrize(
    "pod",
    [
        {"phase": "Pending"},
        {"phase": "Succeeded"},
        {"phase": "Running", "index": 1},
        {"phase": "Running", "role": "stage"},
    ],
)
async def test_no_other_pod_is_followed(bench: Bench, pod: Any) -> None:
    await bench.show(**pod)
    assert bench.logs.asked == []


async def test_a_pod_that_is_not_ours_is_not_followed(bench: Bench) -> None:
    """Labels alone prove nothing: the job must know the namespace as its own work namespace."""
    bench.reader = ProgressReader(bench.logs, bench.told.append, lambda pod: False)
    await bench.show(phase="Running", main=running())
    assert bench.logs.asked == []


async def test_lines_across_chunks_and_a_line_without_end() -> None:
    endless = b"x" * (3 * MAX_LINE_BYTES)
    stream = stream_of(b"one\ntw", b"o\n", endless[:70_000], endless[70_000:], b"\nthree\npart")
    found = [line async for line in lines(stream)]
    assert found[:2] == ["one", "two"]
    assert found[3:] == ["three"]
    assert len(found[2]) <= MAX_LINE_BYTES
