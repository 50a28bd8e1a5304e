"""The gateway on a real API server: replicas within the test, and as processes to be killed."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from posthuman.api.job import ComputeJob, JobStatus
from posthuman.api.parse import dump, parse
from posthuman.bootstrap import SystemClock
from posthuman.errors import NotFound
from posthuman.gateway.settings import GatewaySettings
from posthuman.gateway_process import gateway_app
from posthuman.kube.connection import connect
from posthuman.kube.resources import OWN, SECRETS, Resource
from tests import builders
from tests.gateway.provider import CHAIN_ID, Provider
from tests.kube.worlds import RealWorld, in_world

WITHIN_SECONDS = 60.0
BIND_ANY = "127.0.0.1"


class RealGateway:
    """A namespace of a real cluster, an environment with a folder as its store, a provider."""

    def __init__(self, world: RealWorld, kubeconfig: Path, store: Path) -> None:
        self.world = world
        self.kubeconfig = kubeconfig
        self.store = store
        self.provider = Provider(SystemClock())
        self.environment = ""

    @property
    def settings(self) -> GatewaySettings:
        """Of every replica."""
        return GatewaySettings(namespace=self.world.tenant, kubeconfig=str(self.kubeconfig))

    async def begin(self) -> None:
        """Make the environment."""
        made = in_world(
            self.world,
            builders.environment(
                "ocean",
                store={"url": f"file://{self.store}"},
                chain={
                    "chainId": CHAIN_ID,
                    "rpcUrlSecret": {"name": "rpc"},
                    "signerSecret": {"name": "signer"},
                },
                policy={"allowedProviders": [self.provider.address]},
            ),
        )
        self.environment = made.metadata.name
        await self.world.create(made)

    def start(self, **more: Any) -> dict[str, Any]:
        """A purchase in it."""
        return self.provider.start(self.environment, **more)

    @asynccontextmanager
    async def replica(self) -> AsyncIterator[httpx.AsyncClient]:
        """One that has just started, its caches filled."""
        connection = await connect(str(self.kubeconfig))
        async with gateway_app(self.settings, connection) as app:
            transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
                await ready(client)
                yield client

    async def token(self) -> str:
        """Of the namespace's service account, once the cluster has made that."""
        base = f"/api/v1/namespaces/{self.world.tenant}/serviceaccounts/default"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}}
        tokens: list[str] = []

        async def given() -> bool:
            try:
                answer = await self.world.client.create(
                    Resource(base, "token", "TokenRequest"), {**asked, "spec": {}}
                )
            except NotFound:
                return False
            tokens.append(answer["status"]["token"])
            return True

        await until(given)
        return tokens[0]

    async def jobs(self) -> list[ComputeJob]:
        """As the API server has them."""
        found = await self.world.client.list(OWN["ComputeJob"], self.world.tenant)
        return [parse(body, ComputeJob) for body in found["items"]]

    async def secret_names(self) -> list[str]:
        """In the jobs' namespace."""
        found = await self.world.client.list(SECRETS, self.world.tenant)
        return [item["metadata"]["name"] for item in found["items"]]

    async def write_status(self, job: ComputeJob, status: JobStatus) -> None:
        """As the operator does."""
        stored = await self.world.client.get(
            OWN["ComputeJob"], job.metadata.namespace, job.metadata.name
        )
        body = dump(msgspec.structs.replace(parse(stored, ComputeJob), status=status))
        await self.world.client.replace(OWN["ComputeJob"], body, "status")


class Process:
    """`posthuman gateway` on a port of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.url = f"http://{BIND_ANY}:{port}"

    async def stop(self) -> int:
        """SIGTERM, as Kubernetes does; the exit code."""
        self._process.terminate()
        return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def process(gateway: RealGateway, log: Path) -> AsyncIterator[Process]:
    """Started and ready; killed at the end."""
    with socket.socket() as probe:
        probe.bind((BIND_ANY, 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "posthuman.cli", "gateway"]
    command += ["--namespace", gateway.world.tenant, "--kubeconfig", str(gateway.kubeconfig)]
    command += ["--host", BIND_ANY, "--port", str(port)]
    with log.open("ab") as file:
        started = await asyncio.create_subprocess_exec(
            *command, stdout=file, stderr=file, env=dict(os.environ)
        )
    running = Process(started, port)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            await ready(client)
        yield running
    finally:
        await running.kill()


async def ready(client: httpx.AsyncClient) -> None:
    """Wait for /readyz."""

    async def asked() -> bool:
        try:
            return (await client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    await until(asked)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds. Raises TimeoutError."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not await holds():  # noqa: ASYNC110  # the cluster tells nobody
            await asyncio.sleep(0.05)


async def gone(gateway: RealGateway, name: str) -> bool:
    """Whether a Secret is no more."""
    try:
        await gateway.world.client.get(SECRETS, gateway.world.tenant, name)
    except NotFound:
        return True
    return False
