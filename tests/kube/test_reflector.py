"""A reflector beside an API server that ends, forgets and cuts its streams where it hurts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.api.parse import dump, parse
from posthuman.kube import reflector
from posthuman.kube.cache import Shelf
from posthuman.kube.client import KubeClient
from posthuman.kube.connection import connect
from posthuman.kube.reflector import Reflector
from posthuman.kube.resources import OWN
from posthuman.metrics import Metrics
from tests import builders
from tests.kube.test_client import kubeconfig

WITHIN_SECONDS = 20.0


class Server:
    """A list, and one script of pieces for each watch; the last one stays open."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []  # at version 1
        self.listed_anew: list[dict[str, Any]] = []  # at version 9
        self.lists = 0
        self.watches: list[list[bytes]] = []
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            self.lists += 1
            first = self.lists == 1
            items = self.listed if first else self.listed_anew
            version = {"resourceVersion": "1" if first else "9"}
            return web.json_response({"metadata": version, "items": items})
        self.asked.append(request.query["resourceVersion"])
        stream = web.StreamResponse()
        await stream.prepare(request)
        script = self.watches.pop(0) if self.watches else []
        for piece in script:
            await stream.write(piece)
        if not self.watches:
            await asyncio.sleep(WITHIN_SECONDS)
        return stream


def body(name: str, version: int, **spec: Any) -> dict[str, Any]:
    found = dump(builders.job(name, f"uid-{name}", **spec))
    metadata = found["metadata"] | {"namespace": "bob", "resourceVersion": str(version)}
    plain: dict[str, Any] = json.loads(json.dumps(found | {"metadata": metadata}))
    return plain


def event(kind: str, found: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    yield Server()


@pytest.fixture
async def jobs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shelf[ComputeJob]]:
    monkeypatch.setattr(reflector, "RETRY_SECONDS", 0.01)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, port = runner.addresses[0][:2]
    client = KubeClient(await connect(kubeconfig(tmp_path, port)), Metrics())
    shelf: Shelf[ComputeJob] = Shelf(
        lambda found: parse(found, ComputeJob), lambda _: "", lambda _old, _new: None
    )
    task = asyncio.create_task(Reflector(client, OWN["ComputeJob"], "bob", shelf).run())
    yield shelf
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    await runner.cleanup()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while not holds():  # noqa: ASYNC110  # a condition of another task's
            await asyncio.sleep(0.01)


def names(shelf: Shelf[ComputeJob]) -> list[str]:
    return sorted(job.metadata.name for job in shelf.all())


async def test_listed_watched_and_deleted(server: Server, jobs: Shelf[ComputeJob]) -> None:
    server.listed = [body("a", 1), body("b", 1)]
    added, gone = event("ADDED", body("c", 2)), event("DELETED", body("a", 3))
    server.watches = [[added[:10], added[10:] + gone[:7], gone[7:]]]
    await until(lambda: names(jobs) == ["b", "c"])


async def test_a_stream_that_ends_goes_on_from_where_it_was(
    server: Server, jobs: Shelf[ComputeJob]
) -> None:
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "7"}})
    server.watches = [[bookmark], [event("ADDED", body("c", 8))]]
    await until(lambda: names(jobs) == ["c"])
    assert server.asked[:2] == ["1", "7"]
    assert server.lists == 1


async def test_a_version_that_is_too_old_means_a_new_list(
    server: Server, jobs: Shelf[ComputeJob]
) -> None:
    """What was deleted while nobody watched is gone then."""
    server.listed = [body("a", 1), body("b", 1)]
    expired = event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
    server.watches = [[event("MODIFIED", body("a", 2))], [expired], []]
    server.listed_anew = [body("b", 1)]
    await until(lambda: names(jobs) == ["b"])


async def test_any_other_error_means_a_new_list_after_a_pause(
    server: Server, jobs: Shelf[ComputeJob]
) -> None:
    server.watches = [[event("ERROR", {"code": 500, "message": "no"})], []]
    await until(lambda: server.lists >= 2)


async def test_an_object_that_cannot_be_read_is_left_out_alone(
    server: Server, jobs: Shelf[ComputeJob]
) -> None:
    wrong = body("w", 2)
    wrong["spec"]["nodes"] = "many"
    server.watches = [[event("ADDED", wrong), event("ADDED", body("c", 3))]]
    await until(lambda: jobs.get(Key("bob", "c")) is not None)
    assert names(jobs) == ["c"]
