"""A web server on loopback that misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web


class FileServer:
    """Serves `files` by path; see the switches below. `requests` is what was asked, in order."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.redirects: dict[str, str] = {}
        self.statuses: list[int] = []  # answered first, one a request
        self.drop_after_bytes: int | None = None  # cut a body off there, `drops` times
        self.drops = 0
        self.ranges = True
        self.etag = '"one"'
        self.change_after_requests: int | None = None  # then every file is another version:
        self.changed_to = b""
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.asked = asyncio.Event()  # set by the first request
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        self.asked.set()
        self.requests.append(f"{path} {request.headers.get('Range', '')}".strip())
        self.headers.append(dict(request.headers))
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path not in self.files:
            return web.Response(status=404)
        return await self._send(request, self.changed_to if self._changed else self.files[path])

    async def _send(self, request: web.Request, content: bytes) -> web.StreamResponse:
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        same = request.headers.get("If-Range", self._etag()) == self._etag()
        if not (match and self.ranges and same):
            return await self._body(request, web.StreamResponse(status=200), content)
        first, last = int(match[1]), min(int(match[2]), len(content) - 1)
        if first >= len(content):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        answer = web.StreamResponse(status=206)
        answer.headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        answer.headers["ETag"] = self._etag()
        return await self._body(request, answer, content[first : last + 1])

    @property
    def _changed(self) -> bool:
        limit = self.change_after_requests
        return limit is not None and len(self.requests) > limit

    def _etag(self) -> str:
        return '"another"' if self._changed else self.etag

    async def _body(
        self, request: web.Request, answer: web.StreamResponse, body: bytes
    ) -> web.StreamResponse:
        answer.content_length = len(body)
        await answer.prepare(request)
        cut = self.drop_after_bytes
        if cut is not None and self.drops > 0 and len(body) > cut:
            self.drops -= 1
            await answer.write(body[:cut])
            assert request.transport is not None
            request.transport.close()
            return answer
        await answer.write(body)
        return answer


@asynccontextmanager
async def serving(
    files: dict[str, bytes], host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[FileServer]:
    """Serve until the block ends."""
    server = FileServer(files)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        server.port = cast(int, runner.addresses[0][1])
        yield server
    finally:
        await runner.cleanup()
