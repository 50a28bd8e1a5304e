"""A proxy in front of a node that lies as a test says: the faults that real nodes have.

A rule sees each call of a request (batches are taken apart) and may answer it itself; otherwise the
node answers. `drop_answer` lets the node take a transaction whose sender hears nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

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


@asynccontextmanager
async def lying_node(upstream: str) -> AsyncIterator[LyingNode]:
    """Serve until the block ends."""
    node, app = LyingNode(upstream), web.Application(client_max_size=2**26)
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
