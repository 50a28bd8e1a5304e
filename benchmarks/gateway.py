"""A thousand pollers and a hundred large downloads at one replica of the gateway.

`python -m benchmarks.gateway`: a real uvicorn process with the gateway's own settings, jobs in
memory and results in a real store (a folder, or an S3 server with `--s3`). The polls come from this
process, the downloads from another one, so that neither waits for the other's own work. Memory is
the kernel's figure for the server (VmRSS), looked at ten times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.gateway_replica import FILE, Setup, job_path
from jobkit.manifest import Manifest, ManifestFile, encode_manifest
from posthuman.api.environment import StoreSpec
from posthuman.store.results import open_results
from tests.services import s3

MEBIBYTE = 1024 * 1024
SAMPLE_SECONDS = 0.1
GROWTH = 64 * MEBIBYTE  # the store's threads and what they hold, however many read
GROWTH_A_DOWNLOAD = 3 * MEBIBYTE  # a piece read, a piece being sent, and what Python wastes
DRIFT = 1.1  # of the peak, from the second third of the downloads' time to the last
START_SECONDS = 60.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the replica."""

    pollers: int
    interval_seconds: float
    downloads: int
    mebibytes: int


class Figures:
    """What was seen."""

    def __init__(self) -> None:
        self.poll_seconds: list[float] = []
        self.failures = 0
        self.resident: list[tuple[float, int]] = []  # when, bytes
        self.downloaded = 0
        self.download_seconds = 0.0


async def poll(session: aiohttp.ClientSession, number: int, load: Load, seen: Figures) -> None:
    """One person looks at their job again and again, until cancelled."""
    headers = {"Authorization": f"Bearer person-{number}"}
    await asyncio.sleep(load.interval_seconds * number / load.pollers)
    while True:
        began = time.monotonic()
        async with session.get(job_path(number), headers=headers) as answer:
            await answer.read()
            seen.failures += answer.status != 200
        seen.poll_seconds.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, load.interval_seconds - (time.monotonic() - began)))


async def watch_memory(pid: int, seen: Figures) -> None:
    """Until cancelled."""
    while True:
        seen.resident.append((time.monotonic(), resident_bytes(pid)))
        await asyncio.sleep(SAMPLE_SECONDS)


def resident_bytes(pid: int) -> int:
    """The kernel's figure."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [one for one in lines if one.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


async def measure(url: str, pid: int, load: Load) -> tuple[Figures, Figures]:
    """Pollers alone for three rounds, then with the downloads."""
    alone, together = Figures(), Figures()
    async with aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        for seen in (alone, together):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(poll(session, number, load, seen))
                    for number in range(load.pollers)
                ]
                tasks.append(group.create_task(watch_memory(pid, seen)))
                if seen is alone:
                    await asyncio.sleep(3 * load.interval_seconds)
                else:
                    await all_downloads(url, load, seen)
                for task in tasks:
                    task.cancel()
    return alone, together


async def all_downloads(url: str, load: Load, seen: Figures) -> None:
    """At once, by the other process, which says how many came whole."""
    began = time.monotonic()
    size = load.mebibytes * MEBIBYTE
    arguments = [url, str(load.downloads), str(size)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.gateway_downloads",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    whole = int(told)
    seen.download_seconds = time.monotonic() - began
    seen.downloaded = whole * size
    seen.failures += load.downloads - whole


@asynccontextmanager
async def replica(setup: Setup) -> AsyncIterator[tuple[str, int]]:
    """The server's URL and process id, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = started(setup, listener.fileno())
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with (
                asyncio.timeout(START_SECONDS),
                aiohttp.ClientSession() as session,
                session.get(f"{url}/readyz") as answer,
            ):
                answer.raise_for_status()
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def started(setup: Setup, listener: int) -> subprocess.Popen[str]:
    """The server at this file descriptor, told what it serves."""
    command = [sys.executable, "-m", "benchmarks.gateway_replica", str(listener)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener], text=True)
    assert process.stdin
    process.stdin.write(msgspec.json.encode(setup).decode() + "\n")
    process.stdin.flush()
    return process


async def fill(store: StoreSpec, credentials: dict[str, str], mebibytes: int) -> Setup:
    """One large result, which all jobs have."""
    results = open_results(store, credentials)
    content = bytes(range(256)) * (mebibytes * MEBIBYTE // 256)
    file = ManifestFile(path=FILE, sha256="0" * 64, size=len(content), file_class="result")
    raw = encode_manifest(Manifest(files=(file,)))
    await results.put(f"jobs/one/{FILE}", content)
    await results.put("jobs/one/manifest.json", raw)
    return Setup(store=store, credentials=credentials, manifest=raw.decode())


def table(alone: Figures, together: Figures, load: Load) -> str:
    """Markdown."""
    lines = [
        "| | polls | p50 | p99 | failed | peak memory | downloads |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, seen in (("pollers alone", alone), ("with downloads", together)):
        percentiles = statistics.quantiles(seen.poll_seconds, n=100)
        speed = seen.downloaded / MEBIBYTE / seen.download_seconds if seen.downloaded else 0.0
        lines.append(
            f"| {name} | {len(seen.poll_seconds)} | {percentiles[49] * 1e3:.0f} ms "
            f"| {percentiles[98] * 1e3:.0f} ms | {seen.failures} "
            f"| {peak(seen) / MEBIBYTE:.0f} MiB | "
            + (f"{load.downloads} × {load.mebibytes} MiB, {speed:.0f} MiB/s |" if speed else "|")
        )
    return "\n".join(lines)


def peak(seen: Figures) -> int:
    """Bytes."""
    return max(size for _, size in seen.resident)


def later_thirds(seen: Figures) -> tuple[int, int]:
    """The peaks of the second and the last third of the time: all downloads have begun by then."""
    third = len(seen.resident) // 3
    sizes = [size for _, size in seen.resident]
    return max(sizes[third : 2 * third]), max(sizes[2 * third :])


def review(alone: Figures, together: Figures, load: Load) -> list[str]:
    """What is not as it should be."""
    wrong = []
    growth = peak(together) - peak(alone)
    if growth > GROWTH + load.downloads * GROWTH_A_DOWNLOAD:
        wrong.append(f"the downloads took {growth / MEBIBYTE:.0f} MiB")
    earlier, later = later_thirds(together)
    if later > DRIFT * earlier:
        wrong.append("memory grew while the downloads went on")
    if alone.failures or together.failures:
        wrong.append(f"{alone.failures + together.failures} requests failed")
    return wrong


async def run(load: Load, with_s3: bool) -> int:
    """Print a table; 1 if a limit is passed."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store, credentials = StoreSpec(url=f"file://{folder}/results"), {}
        if with_s3:
            server = stack.enter_context(s3.running(folder))
            store = StoreSpec(url=f"s3://{server.bucket}/x", endpoint=server.endpoint)
            credentials = server.credentials
        setup = await fill(store, credentials, load.mebibytes)
        setup = msgspec.structs.replace(setup, people=max(load.pollers, load.downloads))
        url, pid = await stack.enter_async_context(replica(setup))
        alone, together = await measure(url, pid, load)
    print(table(alone, together, load))
    wrong = review(alone, together, load)
    for sentence in wrong:
        print(f"too much: {sentence}")
    return 1 if wrong else 0


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pollers", type=int, default=1000)
    parser.add_argument("--interval-seconds", type=float, default=5.0, help="of one poller")
    parser.add_argument("--downloads", type=int, default=100)
    parser.add_argument("--mebibytes", type=int, default=100, help="of each")
    parser.add_argument("--s3", action="store_true", help="a real S3 server, not a folder")
    asked = parser.parse_args()
    load = Load(
        pollers=asked.pollers,
        interval_seconds=asked.interval_seconds,
        downloads=asked.downloads,
        mebibytes=asked.mebibytes,
    )
    raise SystemExit(asyncio.run(run(load, asked.s3)))


if __name__ == "__main__":
    main()
