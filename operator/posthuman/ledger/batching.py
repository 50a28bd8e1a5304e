"""Sends requests that are made at about the same time as one JSON-RPC batch.

Publications share blocks, so their passes ask the same node much the same at the same moment: how
many transactions were mined, what the latest block is, a receipt each. What is asked by several of
them is asked once, and all of it in one HTTP request. Nothing is kept: an answer serves only those
who asked before it was sent for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint, RPCResponse

GATHERING_SECONDS = 0.002
LARGEST_BATCH = 50  # public nodes commonly allow 100

Asked = tuple[RPCEndpoint, Any]


class BatchingProvider(AsyncHTTPProvider):
    """One connection to a node; `http_requests` and `calls` (by method) count what it was asked."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.http_requests = 0
        self.calls: Counter[str] = Counter()
        self._batch: _Batch | None = None

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer to this request, which may have travelled with others."""
        batch = self._batch or self._new_batch()
        named = json.dumps([method, params], default=str)
        place = list(batch.asked).index(named) if named in batch.asked else len(batch.asked)
        batch.asked[named] = (method, params)
        if len(batch.asked) == LARGEST_BATCH:
            self._batch = None
        return (await asyncio.shield(batch.answers))[place]

    def _new_batch(self) -> _Batch:
        batch = self._batch = _Batch(self._ask)
        return batch

    async def _ask(self, batch: _Batch) -> list[RPCResponse]:
        await asyncio.sleep(GATHERING_SECONDS)
        if self._batch is batch:
            self._batch = None
        self.http_requests += 1
        asked = list(batch.asked.values())
        self.calls.update(str(method) for method, _ in asked)
        if len(asked) == 1:
            return [await super().make_request(*asked[0])]
        responses = await self.make_batch_request(asked)
        if isinstance(responses, list) and len(responses) == len(asked):
            return responses
        refusal = responses if isinstance(responses, dict) else responses[0]
        return [refusal for _ in asked]  # the node refused the batch as a whole


class _Batch:
    """Requests that travel together, by what they say, and the answers to them in their order."""

    def __init__(self, ask: Callable[[_Batch], Coroutine[Any, Any, list[RPCResponse]]]) -> None:
        self.asked: dict[str, Asked] = {}
        self.answers = asyncio.create_task(ask(self))
