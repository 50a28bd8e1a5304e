"""The operator process against a real API server: what it sees, writes, and says of its health."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
import yaml

from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.bootstrap import Reconciler
from posthuman.controller import Operator, OperatorSettings, WatchLimits
from posthuman.kube.connection import connect
from posthuman.kube.resources import OWN
from posthuman.metrics import Metrics
from posthuman.ports import Cluster
from tests.builders import job as a_job
from tests.kube.crds import apply_crds
from tests.kube.proxy import Proxy
from tests.kube.worlds import RealWorld, in_world, real_world

pytestmark = pytest.mark.cluster
PORT = 18_081
# The server ends each watch after 4 s, so that a live one says something at least that often.
QUICK = WatchLimits(server_timeout=4, inactivity=6.0, dead_after=9.0, connect_timeout=2.0)


@pytest.fixture(scope="module")
def kubeconfig(cluster_facts: Mapping[str, str]) -> Path:
    return apply_crds(cluster_facts)


@pytest.fixture
async def world(kubeconfig: Path) -> AsyncIterator[RealWorld]:
    async with real_world(kubeconfig) as world:
        yield world


class Stopper:
    """Stops every job. It minds one namespace: another operator may be at work here."""

    def __init__(self, namespace: str, cluster: Cluster) -> None:
        self._namespace = namespace
        self._cluster = cluster

    async def reconcile(self, key: Key) -> float | None:
        job = await self._cluster.job(key) if key.namespace == self._namespace else None
        if job and job.status.outcome != "Stopped":
            status = msgspec.structs.replace(job.status, phase=Phase.STOPPED, outcome="Stopped")
            await self._cluster.write_job(msgspec.structs.replace(job, status=status))
        return None


def only_mine(namespace: str, cluster: Cluster, metrics: Metrics) -> Mapping[str, Reconciler]:
    return dict.fromkeys(OWN, Stopper(namespace, cluster))


@asynccontextmanager
async def operating(
    world: RealWorld, kubeconfig: Path, watch: WatchLimits | None = None
) -> AsyncIterator[Operator]:
    settings = OperatorSettings(
        operator_namespace=world.work,
        jobkit_image="jobkit",
        algorithms_image="algorithms",
        algorithms=Path(),
        kubeconfig=str(kubeconfig),
        port=PORT,
        watch=watch or WatchLimits(),
    )
    connection = await connect(settings.kubeconfig)
    operator = Operator(settings, connection, partial(only_mine, world.tenant))
    task = asyncio.create_task(operator.run())
    try:
        await until(lambda: not operator.unready() or task.done())
        yield operator
    finally:
        task.cancel()
        await asyncio.wait({task})
        await operator.close()


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the API server sets no asyncio.Event)
            await asyncio.sleep(0.05)


async def page(path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{PORT}{path}") as response,
    ):
        return response.status, await response.text()


def through(proxy: Proxy, kubeconfig: Path, folder: Path) -> Path:
    """The same kubeconfig, by way of the proxy."""
    config = yaml.safe_load(kubeconfig.read_text())
    for entry in config["clusters"]:
        entry["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        entry["cluster"]["tls-server-name"] = "kubernetes"
    changed = folder / "kubeconfig"
    changed.write_text(json.dumps(config))
    return changed


@pytest.fixture
def proxy(kubeconfig: Path) -> Iterator[Proxy]:
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    address = urlsplit(server)
    assert address.hostname
    with Proxy(address.hostname, address.port or 443) as proxy:
        yield proxy


async def a_job_that_was_answered(world: RealWorld, operator: Operator) -> ComputeJob:
    await world.create(in_world(world, a_job()))
    key = Key(world.tenant, "bob-trains")

    def answered() -> ComputeJob | None:
        found = operator.cache.compute_jobs.get(key)
        return found if found and found.status.outcome == "Stopped" else None

    await until(answered)
    found = answered()
    assert found is not None
    return found


async def test_it_answers_a_new_job_and_measures_itself(world: RealWorld, kubeconfig: Path) -> None:
    async with operating(world, kubeconfig) as operator:
        job = await a_job_that_was_answered(world, operator)
        assert "kopf" not in str(job.metadata)  # the framework leaves no trace
        sample = operator.metrics.registry.get_sample_value
        await until(lambda: sample("posthuman_watch_lag_seconds_count", {"kind": "ComputeJob"}))
        assert (await page("/healthz"))[0] == 200
        assert (await page("/readyz"))[0] == 200
        status, text = await page("/metrics")
        assert status == 200
        assert f'posthuman_jobs{{environment="{job.spec.environment_ref.name}"' in text
        assert 'posthuman_api_writes_total{code="200",kind="ComputeJob",verb="update"}' in text
        assert 'posthuman_reconcile_seconds_count{kind="ComputeJob",outcome="done"}' in text
        assert "posthuman_queue_depth 0.0" in text
        assert 'posthuman_watch_silence_seconds{kind="pods"}' in text


async def test_liveness_fails_when_the_watches_go_silent(
    world: RealWorld, kubeconfig: Path, proxy: Proxy, tmp_path: Path
) -> None:
    async with operating(world, through(proxy, kubeconfig, tmp_path), QUICK) as operator:
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + QUICK.dead_after + 3:
            assert operator.troubles() == []  # nothing happens, yet each watch says it lives
            await asyncio.sleep(0.5)
        proxy.freeze()
        await until(lambda: len(operator.troubles()) >= 5, seconds=QUICK.dead_after + 5)
        status, text = await page("/healthz")
        assert status == 503
        assert "the watch of pods has been silent" in text
        assert (await page("/readyz"))[0] == 503


async def test_a_deletion_that_the_watch_missed_is_noticed(
    world: RealWorld, kubeconfig: Path, proxy: Proxy, tmp_path: Path
) -> None:
    async with operating(world, through(proxy, kubeconfig, tmp_path), QUICK) as operator:
        await world.create(in_world(world, a_job()))
        key = Key(world.tenant, "bob-trains")
        await until(lambda: operator.cache.compute_jobs.get(key))
        proxy.freeze()
        await world.client.delete(OWN["ComputeJob"], world.tenant, "bob-trains")
        await asyncio.sleep(1)
        proxy.thaw()
        await until(lambda: operator.cache.compute_jobs.get(key) is None)
        await until(lambda: not operator.troubles())
