"""A gateway over the fakes behind a real server on a loopback port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import uvicorn

from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.gateway.app import create_app
from posthuman.gateway.settings import Limits
from tests.fakes.gateway import FakeFiles
from tests.gateway.people.world import BOB, FILES, PeopleWorld
from tests.gateway.world import NAMESPACE

QUICK = Limits(requests_per_second=1e6, requests_at_once=10**6)


class BreakingFiles(FakeFiles):
    """A store whose next reads end in the middle: after so many bytes each."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks_after: list[int] = []
        self.asked: list[tuple[int, int]] = []
        self.ended = threading.Event()  # some reading has, to its end or not

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        self.asked.append((start, end))
        try:
            if self.breaks_after:
                yield self.objects[key][start:end][: self.breaks_after.pop(0)]
                raise ConnectionError("the store's connection broke")
            async for piece in super().stream(key, start, end):
                yield piece
        finally:
            self.ended.set()


class Served:
    """A world, and where it is served."""

    def __init__(self, world: PeopleWorld, url: str) -> None:
        self.world = world
        self.url = url

    def add_job(self, name: str = "bobs") -> ComputeJob:
        """Bob's, of a wallet."""
        return asyncio.run(self.world.add_job(Key(NAMESPACE, name), BOB.address))

    def succeed(self, job: ComputeJob, files: dict[str, bytes] = FILES) -> ComputeJob:
        """As the operator ends one."""
        return asyncio.run(self.world.succeed(job, files))


def store_of(served: Served) -> BreakingFiles:
    """Where its jobs' results are."""
    store = served.world.files_of.stores["a100"]
    assert isinstance(store, BreakingFiles)
    return store


@contextmanager
def serving(limits: Limits = QUICK, **options: Any) -> Iterator[Served]:
    """While the block runs; `options` are uvicorn's."""
    world = PeopleWorld(limits)
    world.clock.moment = datetime.now(UTC)
    world.files_of.stores["a100"] = BreakingFiles()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        cast(Any, create_app(world.gateway())), log_level="critical", lifespan="on", **options
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(world, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
