"""A gateway over the fakes, and the provider that talks to it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from jobkit.manifest import (
    CUSTODY_PREFIX,
    MANIFEST_NAME,
    FileClass,
    Manifest,
    ManifestFile,
    digest_of,
    encode_manifest,
)
from posthuman.api.conditions import timestamp
from posthuman.api.job import ComputeJob, Phase, Results
from posthuman.gateway.app import create_app
from posthuman.gateway.ports import JobAccess
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings
from tests import builders
from tests.builders import HeldClock
from tests.fakes.gateway import FakeAccess, FakeFiles, FakeFilesOf
from tests.gateway.provider import CHAIN_ID, Provider

NAMESPACE = "ocean"


SETTINGS = GatewaySettings(namespace=NAMESPACE, also_namespaces=("bob",))


class World:
    """One API server and one store, shared by as many replicas as a test asks for."""

    def __init__(self, settings: GatewaySettings = SETTINGS) -> None:
        self.settings = settings
        self.clock = HeldClock()
        self.access = FakeAccess(self.clock)
        self.files_of = FakeFilesOf()
        self.provider = Provider(self.clock)
        self.allow("ocean-compute")

    def allow(self, environment: str, *providers: str, **spec: Any) -> None:
        """An environment that these providers may use; the world's own, if none is named."""
        addresses = list(providers) or [self.provider.address]
        chain = {"chainId": CHAIN_ID, "rpcUrlSecret": {"name": "rpc"}}
        policy = {"allowedProviders": addresses, **spec.pop("policy", {})}
        self.access.add_environment(
            builders.environment(environment, policy=policy, **{"chain": chain, **spec})
        )

    def only_job(self) -> ComputeJob:
        """The one job that was made."""
        [job] = self.access.all_jobs.values()
        return job

    def finish(
        self, job: ComputeJob, files: Mapping[str, bytes], phase: Phase = Phase.SUCCEEDED
    ) -> ComputeJob:
        """As the operator does: the files, the manifest last, then the end."""
        results = store_results(self.files_of, job, files)
        now = timestamp(self.clock.now())
        return self.access.advance(job, phase=phase, results=results, finished_at=now)

    def gateway(self, access: JobAccess | None = None) -> Gateway:
        """A replica that has just started: it remembers nothing."""
        return Gateway(access or self.access, self.files_of, self.clock, self.settings)

    @asynccontextmanager
    async def client(self, access: JobAccess | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """HTTP to a replica of its own."""
        app = cast(
            Any, create_app(self.gateway(access))
        )  # httpx's and Litestar's ASGI types differ
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


def store_results(files_of: FakeFilesOf, job: ComputeJob, files: Mapping[str, bytes]) -> Results:
    """Put files and their manifest where the export pod does; `model/…` is custody."""
    prefix = f"jobs/{job.metadata.uid}"
    store = files_of.stores.setdefault(job.spec.environment_ref.name, FakeFiles())
    for path, content in files.items():
        store.objects[f"{prefix}/{path}"] = content
    raw = encode_manifest(Manifest(files=tuple(_entry(*file) for file in files.items())))
    store.objects[f"{prefix}/{MANIFEST_NAME}"] = raw
    return Results(uri=f"s3://x/{prefix}", prefix=prefix, manifest_digest=digest_of(raw))


def _entry(path: str, content: bytes) -> ManifestFile:
    digest = hashlib.sha256(content).hexdigest()
    kind: FileClass = "custody" if path.startswith(CUSTODY_PREFIX) else "result"
    return ManifestFile(path=path, sha256=digest, size=len(content), file_class=kind)
