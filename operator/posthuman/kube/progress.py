"""Progress, read from the log of rank 0 while it is written: no network and no polling needed.

One followed log for each running step; only the newest line is kept, in memory: after a restart the
log is followed anew, from its last lines on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
import msgspec

from jobkit.progress import ProgressLine, parse_line
from posthuman.api.conditions import timestamp
from posthuman.api.job import Progress
from posthuman.api.meta import Key
from posthuman.errors import NotFound, PosthumanError
from posthuman.jobs.steps import Role
from posthuman.kube.resources import PODS, Resource
from posthuman.kube.seen import SeenPod

logger = logging.getLogger(__name__)

TAIL_LINES = "100"  # enough to find the last progress line among a program's free text
MAX_LINE_BYTES = 64 * 1024  # longer ones are no progress lines
RECONNECT_SECONDS = 2.0

Told = Callable[[Key], None]
Trusts = Callable[[SeenPod], bool]


class Logs(Protocol):
    """The part of the client that is needed here. Raises NotFound, TransientError."""

    def stream_log(
        self, resource: Resource, namespace: str, name: str, params: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.StreamReader]: ...


class ProgressReader:
    """Follows rank 0 of every running attempt. `told` is called with the job at each line; a pod
    that `trusts` doesn't know is left alone, whatever its labels say."""

    def __init__(self, logs: Logs, told: Told, trusts: Trusts) -> None:
        self._logs = logs
        self._told = told
        self._trusts = trusts
        self.retry_seconds = RECONNECT_SECONDS
        self._following: dict[str, asyncio.Task[None]] = {}  # by the pod's UID
        self._running: set[str] = set()
        self.latest: dict[Key, Progress] = {}  # by the step's Job

    def pod_changed(self, pod: SeenPod) -> None:
        """Begin to follow it once it runs; what is followed ends with the log."""
        uid = pod.metadata.uid
        if pod.metadata.role != Role.RUN or pod.index != 0:
            return
        if pod.finished or pod.status.phase != "Running":
            self._running.discard(uid)
        elif uid not in self._following and self._trusts(pod):
            self._running.add(uid)
            task = asyncio.create_task(self._follow(pod), name=f"log of {pod.metadata.key}")
            self._following[uid] = task
            task.add_done_callback(lambda _: self._following.pop(uid, None))

    def job_gone(self, step: Key) -> None:
        """Forget its progress."""
        self.latest.pop(step, None)

    async def followed(self) -> None:
        """Wait for the end of every log that is followed now."""
        await asyncio.gather(*self._following.values())

    async def close(self) -> None:
        """Let go of every log."""
        tasks = list(self._following.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, pod: SeenPod) -> None:
        while True:
            try:
                await self._read_to_end(pod)
            except NotFound:
                return
            except PosthumanError as error:
                logger.info("the log of %s can't be read now: %s", pod.metadata.key, error)
            if pod.metadata.uid not in self._running:
                return
            await asyncio.sleep(self.retry_seconds)

    async def _read_to_end(self, pod: SeenPod) -> None:
        namespace, name = pod.metadata.key
        params = {"container": Role.RUN.value, "follow": "true", "tailLines": TAIL_LINES}
        async with self._logs.stream_log(PODS, namespace, name, params) as stream:
            async for text in lines(stream):
                if isinstance(line := parse_line(text), ProgressLine):
                    self._take(pod, line)

    def _take(self, pod: SeenPod, line: ProgressLine) -> None:
        now = timestamp(datetime.now(UTC))
        self.latest[pod.job_key] = Progress(**msgspec.structs.asdict(line), updated_at=now)
        if pod.metadata.compute_job:
            self._told(pod.metadata.compute_job)


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[str]:
    """A stream's lines; of one that is too long, nothing but its end is kept."""
    rest = b""
    async for chunk in stream.iter_any():
        *complete, rest = (rest + chunk).split(b"\n")
        rest = rest[-MAX_LINE_BYTES:]
        for line in complete:
            yield line[-MAX_LINE_BYTES:].decode(errors="replace")
