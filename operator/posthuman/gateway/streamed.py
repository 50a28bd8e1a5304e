"""An answer in pieces, whose source is closed whenever the answer ends, however it ends.

Litestar leaves a broken-off stream to the garbage collector, which may take minutes to come by;
until then each lost client would hold a piece in memory and a connection to the store or to a pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send

SENT_AT_ONCE = 128 * 1024  # what a slow client must take within the limit of protocol.py


class Streamed(ASGIStreamingResponse):
    """Return one from a handler: `-> Streamed`."""

    def __init__(
        self, stream: AsyncIterator[bytes], headers: dict[str, str], status_code: int = 200
    ) -> None:
        super().__init__(iterator=sliced(stream), headers=headers, status_code=status_code)
        self._source = stream

    async def send_body(self, send: Send, receive: Receive) -> None:
        """All of it, or until the client goes."""
        try:
            await super().send_body(send, receive)
        finally:
            await closed(self._source)


class Begun(AsyncIterator[bytes]):
    """A stream whose first piece was asked for already."""

    def __init__(self, first: asyncio.Future[bytes], rest: AsyncIterator[bytes]) -> None:
        self._first: asyncio.Future[bytes] | None = first
        self._rest = rest

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        return await (anext(self._rest) if first is None else first)

    async def aclose(self) -> None:
        """And what it reads, also where nobody waited for the first piece any more."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait({self._first})
        await closed(self._rest)


async def sliced(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in smaller pieces."""
    async for piece in stream:
        for start in range(0, len(piece), SENT_AT_ONCE):
            yield piece[start : start + SENT_AT_ONCE]
        del piece  # else it would lie in memory beside the next one


async def closed(stream: AsyncIterator[bytes]) -> None:
    """What it holds is given back now."""
    if isinstance(stream, (AsyncGenerator, Begun)):
        await stream.aclose()
