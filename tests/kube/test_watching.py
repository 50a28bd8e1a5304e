"""Signs of life, noticed on real HTTP responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from posthuman.kube.watching import SignsOfLife, observing


class Bench:
    """A server that streams what the test sends, and a session that is observed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lists: list[str] = []
        self.to_send: asyncio.Queue[bytes] = asyncio.Queue()
        self.signs = SignsOfLife(["pods", "jobs"], self.lists.append, lambda: self.now)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"items": []})
        response = web.StreamResponse()
        await response.prepare(request)
        while chunk := await self.to_send.get():
            await response.write(chunk)
        return response


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
async def url(bench: Bench) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/api/v1/{plural}", bench.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    yield f"http://127.0.0.1:{port}/api/v1"
    await runner.cleanup()


async def test_every_chunk_of_a_watch_is_a_sign_of_life(bench: Bench, url: str) -> None:
    async with (
        aiohttp.ClientSession(response_class=observing(bench.signs)) as session,
        session.get(f"{url}/pods", params={"watch": "true"}) as response,
    ):
        bench.now = 100.0
        assert bench.signs.silence_seconds() == {"pods": 100.0, "jobs": 100.0}
        bench.to_send.put_nowait(b'{"type": "BOOKMARK"}\n')
        chunks = response.content.iter_chunked(1024)
        assert await anext(chunks) == b'{"type": "BOOKMARK"}\n'
        assert bench.signs.silence_seconds() == {"pods": 0.0, "jobs": 100.0}
        bench.now = 250.0
        assert bench.signs.silence_seconds()["pods"] == 150.0
        bench.to_send.put_nowait(b"")
        assert [chunk async for chunk in chunks] == []
    assert bench.lists == []


async def test_an_open_stream_alone_is_no_sign_of_life(bench: Bench, url: str) -> None:
    bench.now = 100.0
    async with (
        aiohttp.ClientSession(response_class=observing(bench.signs)) as session,
        session.get(f"{url}/pods", params={"watch": "true"}),
    ):
        assert bench.signs.silence_seconds()["pods"] == 100.0
        assert not bench.signs.all_open
        bench.to_send.put_nowait(b"")


async def test_a_list_is_told_and_is_a_sign_of_life(bench: Bench, url: str) -> None:
    bench.now = 100.0
    async with (
        aiohttp.ClientSession(response_class=observing(bench.signs)) as session,
        session.get(f"{url}/jobs") as response,
    ):
        assert await response.json() == {"items": []}
    assert bench.lists == ["jobs"]
    assert bench.signs.silence_seconds() == {"pods": 100.0, "jobs": 0.0}


async def test_other_kinds_are_not_minded(bench: Bench, url: str) -> None:
    async with (
        aiohttp.ClientSession(response_class=observing(bench.signs)) as session,
        session.get(f"{url}/nodes") as response,
    ):
        assert await response.json() == {"items": []}
    assert bench.lists == []
    assert set(bench.signs.silence_seconds()) == {"pods", "jobs"}
