"""What is asked at the same time travels together, and is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from web3.types import RPCEndpoint

from posthuman.ledger.batching import LARGEST_BATCH, BatchingProvider


class Node:
    """Answers a request with its own first parameter."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.refusal: dict[str, Any] | None = None
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if self.refusal:
            return web.json_response(self.refusal)
        several = isinstance(body, list)
        answers = [
            {"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"][0]}
            for asked in (reversed(body) if several else [body])
        ]
        return web.json_response(answers if several else answers[0], status=self.status)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Node, BatchingProvider]]:
    node, app = Node(), web.Application()
    app.router.add_post("/", node.answer)
    server = TestServer(app)
    await server.start_server()
    provider = BatchingProvider(str(server.make_url("/")), exception_retry_configuration=None)
    yield node, provider
    await provider.disconnect()
    await server.close()


async def ask(provider: BatchingProvider, *numbers: int) -> list[Any]:
    asked = (provider.make_request(RPCEndpoint("echo"), [number]) for number in numbers)
    return [answer.get("result") for answer in await asyncio.gather(*asked)]


async def test_each_gets_its_own_answer_out_of_one_request(
    served: tuple[Node, BatchingProvider],
) -> None:
    node, provider = served
    assert await ask(provider, 1, 2, 3) == [1, 2, 3]
    assert [len(body) for body in node.bodies] == [3]
    assert (provider.http_requests, provider.calls) == (1, {"echo": 3})


async def test_the_same_question_is_asked_once_and_anew_next_time(
    served: tuple[Node, BatchingProvider],
) -> None:
    node, provider = served
    assert await ask(provider, 7, 7, 8, 7) == [7, 7, 8, 7]
    assert await ask(provider, 7) == [7]
    assert provider.calls.total() == 3
    assert node.bodies[1]["params"] == [7]


async def test_no_batch_is_larger_than_nodes_allow(served: tuple[Node, BatchingProvider]) -> None:
    node, provider = served
    numbers = list(range(LARGEST_BATCH + 3))
    assert await ask(provider, *numbers) == numbers
    assert sorted(len(body) for body in node.bodies) == [3, LARGEST_BATCH]


async def test_a_batch_that_is_refused_is_everybodys_refusal(
    served: tuple[Node, BatchingProvider],
) -> None:
    node, provider = served
    node.refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "slow"}}
    asked = (provider.make_request(RPCEndpoint("echo"), [number]) for number in range(3))
    assert [answer["error"]["message"] for answer in await asyncio.gather(*asked)] == ["slow"] * 3


async def test_a_fault_is_told_to_all_and_the_next_request_is_its_own(
    served: tuple[Node, BatchingProvider],
) -> None:
    node, provider = served
    node.status = 429
    asked = (provider.make_request(RPCEndpoint("echo"), [number]) for number in range(3))
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, aiohttp.ClientResponseError)
    node.status = 200
    assert await ask(provider, 5) == [5]


async def test_one_who_stops_waiting_takes_nothing_from_the_others(
    served: tuple[Node, BatchingProvider],
) -> None:
    _, provider = served
    first = asyncio.create_task(ask(provider, 1))
    second = asyncio.create_task(ask(provider, 1, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == [1, 2]
