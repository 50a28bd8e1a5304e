"""A proxy in front of a node that lies as a test says: the faults that real nodes have.

A rule sees each call of a request (batches are taken apart) and may answer it itself; otherwise the
node answers. `drop_answer` lets the node take a transaction whose sender hears nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

Call = dict[str, Any]
Rule = Callable[[Call], dict[str, Any] | None]  # "result" or "error", or None: let the node answer


def honest(call: Call) -> None:
    """Nothing is answered in the node's place."""


class LyingNode:
    """What a node's user talks to."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.url = ""
        self.rule: Rule = honest
        self.status = 200
        self.drop_answer: Callable[[Call], bool] = lambda call: False
        self.before_request: Callable[[], None] = lambda: None
        self.calls: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.before_request()
        calls = body if isinstance(body, list) else [body]
        self.calls += [call["method"] for call in calls]
        if self.status != 200:
            return web.Response(status=self.status)
        answers = await asyncio.gather(*(self._one(call) for call in calls))
        if any(self.drop_answer(call) for call in calls):
            return web.Response(status=504)
        return web.json_response(answers if isinstance(body, list) else answers[0])

    async def _one(self, call: Call) -> Any:
        said = self.rule(call)
        if said is not None:
            return {"jsonrpc": "2.0", "id": call["id"], **said}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._upstream, json=call) as answer,
        ):
            return await answer.json()


class HoldingNode(LyingNode):
    """An honest node that keeps one request waiting: the `count`-th with this method, before the
    node sees it or (`after`) when it has answered."""

    def __init__(self, upstream: str, method: str, count: int, after: bool) -> None:
        super().__init__(upstream)
        self.struck = asyncio.Event()
        self.go_on = asyncio.Event()
        self._method = method
        self._left = count
        self._after = after

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        calls: list[Call] = body if isinstance(body, list) else [body]
        held = self._holds(calls)
        if held and not self._after:
            await self._wait()
        answered = await super().answer(request)
        if held and self._after:
            await self._wait()
        return answered

    def _holds(self, calls: list[Call]) -> bool:
        if any(call["method"] == self._method for call in calls):
            self._left -= 1
            return self._left == 0
        return False

    async def _wait(self) -> None:
        self.struck.set()
        await self.go_on.wait()


@asynccontextmanager
async def lying_node(upstream: str) -> AsyncIterator[LyingNode]:
    """Serve until the block ends."""
    async with serving(LyingNode(upstream)) as node:
        yield node


Served = TypeVar("Served", bound=LyingNode)


@asynccontextmanager
async def serving(node: Served) -> AsyncIterator[Served]:
    """Serve it until the block ends."""
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/", node.answer)
    server = TestServer(app)
    await server.start_server()
    node.url = str(server.make_url("/"))
    try:
        yield node
    finally:
        await server.close()


def error(message: str, code: int = -32000) -> dict[str, Any]:
    """A node's refusal."""
    return {"error": {"code": code, "message": message}}
