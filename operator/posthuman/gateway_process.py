"""The gateway as a process: one of the places that put adapters behind ports (bootstrap's kin)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import uvicorn
from litestar import Litestar

from posthuman.bootstrap import Adapters, StoreMaterial, SystemClock, store_material
from posthuman.gateway.app import create_app
from posthuman.gateway.json_log import JsonLines
from posthuman.gateway.metrics import GatewayMetrics
from posthuman.gateway.ports import Files
from posthuman.gateway.protocol import TimelyProtocol
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings
from posthuman.kube.client import KubeClient
from posthuman.kube.connection import Connection, connect
from posthuman.kube.gateway import KubeAccess
from posthuman.store.streams import open_files

STOP_SECONDS = 20  # for answers that have begun, within a pod's 30 s of grace
MAX_HEADER_BYTES = 32 * 1024


def serve(settings: GatewaySettings, log_level: str) -> None:
    """Until SIGTERM, logging lines of JSON. Raises UserError where it can't start."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when all is said
        asyncio.run(run(settings))


async def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    connection = await connect(settings.kubeconfig)
    async with gateway_app(settings, connection) as app:
        await _server(settings, app).serve()


@asynccontextmanager
async def gateway_app(settings: GatewaySettings, connection: Connection) -> AsyncIterator[Litestar]:
    """One replica's application, its caches kept while the block runs. What breaks them ends it."""
    metrics = GatewayMetrics()
    client = KubeClient(connection, metrics)
    access, clock = KubeAccess(client, settings.namespaces), SystemClock()
    stores = Adapters(clock, partial(store_material, access), _open_files)
    gateway = Gateway(access, stores.of, clock, settings, metrics)
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(access.run(), name="watches")
            yield create_app(gateway)
            watching.cancel()
    finally:
        await client.close()


def _open_files(material: StoreMaterial) -> Files:
    return open_files(material.spec, material.credentials)


def _server(settings: GatewaySettings, app: Litestar) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=TimelyProtocol,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
    )
