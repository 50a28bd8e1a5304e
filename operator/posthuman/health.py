"""The operator's own HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

Check = Callable[[], Sequence[str]]
"""What is wrong, in sentences; nothing if all is well."""


def application(alive: Check, ready: Check, metrics: Callable[[], bytes]) -> web.Application:
    """The three pages."""

    async def healthz(request: web.Request) -> web.Response:
        return _answer(alive())

    async def readyz(request: web.Request) -> web.Response:
        return _answer(ready())

    async def show_metrics(request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    return app


def _answer(troubles: Sequence[str]) -> web.Response:
    if troubles:
        return web.Response(status=503, text="\n".join(troubles) + "\n")
    return web.Response(text="ok\n")


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[None]:
    """Serve on every address of the pod while the block runs."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
