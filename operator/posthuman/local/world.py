"""A small world on this machine: objects, one work queue, and the same reconciles as on a cluster.

`bootstrap` puts the reconcilers together; here they are only woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.bootstrap import Reconciler
from posthuman.jobs.waking import woken_by_asset, woken_by_environment, woken_by_job
from posthuman.local.cluster import LocalCluster
from posthuman.local.objects import Objects
from posthuman.queue import Item, Outcome, WorkQueue

PASS_SECONDS = 20.0  # that a reconcile under way is given to end


class World:
    """Wakes reconcilers after each change, and lets others wait for what they want to see."""

    def __init__(
        self, objects: Objects, cluster: LocalCluster, reconcilers: Mapping[str, Reconciler]
    ) -> None:
        self.objects = objects
        self._cluster = cluster
        self._reconcilers = reconcilers
        self._queue = WorkQueue(self._reconcile, observer=_Unobserved())
        self._changed = asyncio.Event()
        self._jobs_may_look = False
        cluster.on_change(self._wake)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reconcile while the block lasts; then end every process."""
        work = asyncio.create_task(self._queue.run())
        try:
            await self._wake_all()
            yield
        finally:
            self._queue.stop()
            await asyncio.wait([work], timeout=PASS_SECONDS)
            work.cancel()
            await self._cluster.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds; it is looked at after each change."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _wake_all(self) -> None:
        """Environments first: a job's first question is whether its environment is ready."""
        for environment in self.objects.all(ComputeEnvironment):
            self._wake("ComputeEnvironment", environment.metadata.key)
        await self.until(
            lambda: all(found.status.conditions for found in self.objects.all(ComputeEnvironment))
        )
        self._jobs_may_look = True
        for kind, key in self.objects.all_keys():
            self._wake(kind, key)

    async def _reconcile(self, item: Item) -> float | None:
        return await self._reconcilers[item.kind].reconcile(item.key)

    def _wake(self, kind: str, key: Key) -> None:
        self._queue.wake(Item(kind, key))
        for job in self._concerned(kind, key) if self._jobs_may_look else ():
            self._queue.wake(Item("ComputeJob", job))
        self._changed.set()

    def _concerned(self, kind: str, key: Key) -> list[Key]:
        jobs = self.objects.all(ComputeJob)
        if kind == "ComputeEnvironment":
            return woken_by_environment(
                [j for j in jobs if j.spec.environment_ref.name == key.name]
            )
        if kind == "ModelAsset":
            asset = self.objects.find(ModelAsset, key)
            return woken_by_asset(asset, jobs) if asset else [key]
        job = self.objects.find(ComputeJob, key)
        return woken_by_job(job, jobs) if job else []


class _Unobserved:
    """Nobody scrapes a laptop."""

    def queue_depth(self, depth: int) -> None:
        """Not counted."""

    def queue_wait(self, kind: str, seconds: float) -> None:
        """Not counted."""

    def queue_pass(self, kind: str, seconds: float, outcome: Outcome) -> None:
        """Not counted."""
