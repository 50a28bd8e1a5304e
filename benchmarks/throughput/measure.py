"""One run: apply N objects, watch until all are Succeeded, and say what it took."""

from __future__ import annotations

import asyncio
import re
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from posthuman.kube.client import KubeClient
from posthuman.kube.resources import JOBS, OWN
from tests.cluster.kubectl import kubectl

OBJECTS = OWN["ComputeJob"]
WRITES = re.compile(
    r'^apiserver_request_total\{.*verb="(?:POST|PUT|PATCH|APPLY|DELETE)".*\} (\S+)$', re.M
)
POLL_SECONDS = 0.2
LIMIT_SECONDS = 180.0


class Result(msgspec.Struct, frozen=True):
    """What one controller did with N objects."""

    name: str
    objects: int
    seconds: float
    first_job_p50: float  # seconds from an object's creation to its first worker Job
    first_job_p99: float
    writes_per_object: float
    cpu_seconds: float
    peak_mebibytes: float

    @property
    def per_second(self) -> float:
        """Objects completed a second."""
        return self.objects / self.seconds


class Silent:
    """Nobody counts the benchmark's own calls."""

    def api_call(self, verb: str, kind: str, code: int, seconds: float) -> None:
        """Not counted."""


async def measure(
    name: str,
    client: KubeClient,
    bodies: list[dict[str, Any]],
    job_owner: Callable[[dict[str, Any]], str],
    after_create: Callable[[dict[str, Any]], None],
) -> Result:
    """`job_owner`: an object's name from one of its Jobs. CPU and memory are `with_usage`'s."""
    namespace = bodies[0]["metadata"]["namespace"]
    writes, began = _writes(), time.monotonic()
    created: dict[str, float] = {}
    first: dict[str, float] = {}
    watching = asyncio.create_task(_first_jobs(client, job_owner, first))
    try:
        await _apply(client, bodies, created, after_create)
        await _until_done(client, namespace, len(bodies))
    finally:
        watching.cancel()
    seconds = time.monotonic() - began
    waits = sorted(first[key] - created[key] for key in created if key in first)
    return Result(
        name,
        len(bodies),
        seconds,
        statistics.median(waits),
        waits[int(len(waits) * 0.99) - 1],
        (_writes() - writes) / len(bodies),
        0.0,
        0.0,
    )


async def _apply(
    client: KubeClient,
    bodies: list[dict[str, Any]],
    created: dict[str, float],
    after_create: Callable[[dict[str, Any]], None],
) -> None:
    slots = asyncio.Semaphore(8)

    async def one(body: dict[str, Any]) -> None:
        async with slots:
            created[body["metadata"]["name"]] = time.monotonic()
            after_create(await client.create(OBJECTS, body))

    await asyncio.gather(*(one(body) for body in bodies))


async def _first_jobs(
    client: KubeClient, job_owner: Callable[[dict[str, Any]], str], first: dict[str, float]
) -> None:
    while True:
        for job in (await client.list(JOBS, metadata=True))["items"] or []:
            if owner := job_owner(job):
                first.setdefault(owner, time.monotonic())
        await asyncio.sleep(POLL_SECONDS)


async def _until_done(client: KubeClient, namespace: str, count: int) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        items = (await client.list(OBJECTS, namespace))["items"]
        phases = [item.get("status", {}).get("phase") for item in items]
        if phases.count("Succeeded") == count:
            return
        await asyncio.sleep(POLL_SECONDS * 2)
    raise SystemExit(f"after {LIMIT_SECONDS:.0f} s only {phases.count('Succeeded')} are done")


def _writes() -> float:
    return sum(float(found) for found in WRITES.findall(kubectl("get", "--raw", "/metrics")))


async def with_usage(run: Awaitable[Result], process: asyncio.subprocess.Process) -> Result:
    """The result, with what the controller's process used until it ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = await run
    peak = _peak_mebibytes(process.pid)
    process.terminate()
    await process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return msgspec.structs.replace(result, cpu_seconds=cpu, peak_mebibytes=peak)


def _peak_mebibytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024
