"""The operator as a process: Kopf watches, one queue works, one HTTP server answers probes.

Kopf's handlers do nothing but put what they are shown into the cache; whatever changes there wakes
a key in the queue. Kopf keeps nothing on the objects (no finalizers, no annotations), posts no
events and looks for no peers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import kopf
import msgspec

from posthuman.api.meta import Key
from posthuman.bootstrap import Reconciler, SystemClock, build, installed_settings
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.health import application, serving
from posthuman.kube.cache import Cache, Object
from posthuman.kube.children import Children
from posthuman.kube.claims import OrderClaims
from posthuman.kube.client import KubeClient
from posthuman.kube.cluster import KubeCluster
from posthuman.kube.connection import Connection, connect
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.leases import Leases, new_identity
from posthuman.kube.names import MANAGED_SELECTOR
from posthuman.kube.nonces import NonceBooks
from posthuman.kube.progress import ProgressReader
from posthuman.kube.render import Images
from posthuman.kube.resources import JOBS, PODS, WATCHED, Resource
from posthuman.kube.seen import SeenJob, SeenPod
from posthuman.kube.waking import wake_for
from posthuman.kube.watching import SignsOfLife, observing
from posthuman.metrics import Metrics, jobs_metric, publications_metric, silence_metric
from posthuman.ports import Cluster
from posthuman.queue import Item, WorkQueue

logger = logging.getLogger(__name__)

RELIST = "Relist"  # the queue's kind for "list this kind anew"
PROGRESS_INTERVAL_SECONDS = 10.0
RETRY_SECONDS = 1.0  # between tries of the first lists
STOP_SECONDS = 20.0  # for passes that have begun, within a pod's 30 s of grace


class WatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. The API server says something on each watch about every 60 s, if only a bookmark."""

    server_timeout: int = 300  # the server ends a stream after this
    client_timeout: float = 330.0
    connect_timeout: float = 10.0
    inactivity: float = 90.0  # a silent stream is opened anew
    dead_after: float = 240.0  # reconnecting has not helped: liveness fails
    unseen_write: float = 120.0  # our own write has not come back: liveness fails


class OperatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the operator is installed. `kubeconfig` empty: in a pod, by its service account."""

    operator_namespace: str
    jobkit_image: str
    algorithms_image: str
    algorithms: Path  # the folder of built-in algorithms, for their names and digests
    kubeconfig: str = ""
    port: int = 8080  # of /healthz, /readyz and /metrics
    concurrency: int = 8
    watch: WatchLimits = WatchLimits()


MakeReconcilers = Callable[[Cluster, Metrics], Mapping[str, Reconciler]]


async def run(settings: OperatorSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises UserError where it can't start."""
    connection = await connect(settings.kubeconfig)
    jobs = installed_settings(settings.algorithms)
    operator = Operator(
        settings,
        connection,
        lambda cluster, metrics: build(cluster, SystemClock(), jobs, metrics.signer_balance),
    )
    try:
        await operator.run()
    finally:
        await operator.close()


class Operator:
    """All parts of one operator process, but for what it does with a key: that is handed in."""

    def __init__(
        self, settings: OperatorSettings, connection: Connection, reconcilers: MakeReconcilers
    ) -> None:
        self._settings = settings
        self._connection = connection
        self.metrics = Metrics()
        self.queue = WorkQueue(
            self._reconcile, observer=self.metrics, concurrency=settings.concurrency
        )
        self._unseen = UnseenWrites(self.metrics)
        self.cache = Cache(self._changed, self._unseen)
        self._kinds = {resource.plural: resource for resource in WATCHED.values()}
        self._signs = SignsOfLife(self._kinds, self._relist)
        self._client = KubeClient(connection, self.metrics)
        self._progress = ProgressReader(self._client, self._progressed, self._is_own)
        self._cluster = self._make_cluster()
        self._reconcilers = reconcilers(self._cluster, self.metrics)
        self._synced = False
        self._count_at_scrape()

    async def run(self) -> None:
        """Fill the cache, then watch and work."""
        app = application(self.troubles, self.unready, self.metrics.render)
        async with serving(app, self._settings.port):
            for resource in self._kinds.values():
                await self._first_fill(resource)
            self._synced = True
            working = asyncio.create_task(self.queue.run(), name="queue")
            watching = asyncio.create_task(self._watch(), name="kopf")
            try:
                await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._stop(working, watching)

    async def close(self) -> None:
        """Let go of everything that is held."""
        await self._progress.close()
        await self._cluster.close()
        await self._client.close()

    def troubles(self) -> list[str]:
        """Why this process should be restarted."""
        limits = self._settings.watch
        silent = [
            f"the watch of {plural} has been silent for {seconds:.0f} s"
            for plural, seconds in self._signs.silence_seconds().items()
            if seconds > limits.dead_after
        ]
        unseen = [
            f"a write of {kind} has not come back through its watch for {seconds:.0f} s"
            for kind in WATCHED
            if (seconds := self._unseen.oldest_seconds(kind)) > limits.unseen_write
        ]
        return silent + unseen

    def unready(self) -> list[str]:
        """Why it isn't at work yet."""
        waiting = [] if self._synced else ["the first lists aren't read yet"]
        opening = [] if self._signs.all_open else ["not every watch is open yet"]
        return waiting + opening + self.troubles()

    async def _watch(self) -> None:
        await kopf.operator(
            registry=self._registry(),
            settings=self._kopf_settings(),
            standalone=True,
            clusterwide=True,
        )

    async def _stop(self, *tasks: asyncio.Task[None]) -> None:
        """End the passes that have begun; a task that failed fails the process."""
        self.queue.stop()
        watching = tasks[-1]
        watching.cancel()
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _reconcile(self, item: Item) -> float | None:
        if item.kind == RELIST:
            await self._fill(self._kinds[item.key.name])
            return None
        return await self._reconcilers[item.kind].reconcile(item.key)

    async def _first_fill(self, resource: Resource) -> None:
        """Nothing is decided before everything was listed once."""
        while True:
            try:
                await self._fill(resource)
                return
            except TransientError as error:
                logger.warning("%s can't be listed yet: %s", resource.plural, error)
                await asyncio.sleep(RETRY_SECONDS)
            except NotFound as error:
                raise UserError(
                    f"the API server doesn't know {resource.plural}: apply the "
                    "CustomResourceDefinitions of crds/ first (the chart does)",
                    "CRDsMissing",
                ) from error

    async def _fill(self, resource: Resource) -> None:
        """Take in a kind's whole list: what is gone is dropped, whatever the watch has missed."""
        selector = MANAGED_SELECTOR if resource in (JOBS, PODS) else ""
        found = await self._client.list(resource, selector=selector)
        self.cache.listed(resource.kind, found["items"], found["metadata"]["resourceVersion"])

    def _wake(self, kind: str, key: Key) -> None:
        self.queue.wake(Item(kind, key))

    def _relist(self, plural: str) -> None:
        """Kopf starts over with a list, which doesn't show what was deleted in between."""
        self.queue.wake(Item(RELIST, Key("", plural)))

    def _changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        if isinstance(new, SeenPod):
            self._progress.pod_changed(new)
        elif isinstance(old, SeenJob) and new is None:
            self._progress.job_gone(old.metadata.key)
        wake_for(self.cache, self._wake, kind, old, new)

    def _is_own(self, pod: SeenPod) -> bool:
        """Anyone can label a pod in a namespace of theirs; the job knows where its own pods are."""
        key = pod.metadata.compute_job
        job = self.cache.compute_jobs.get(key) if key else None
        return (
            job is not None
            and job.metadata.uid == pod.metadata.job_uid
            and job.status.work_namespace == pod.metadata.namespace
        )

    def _progressed(self, job: Key) -> None:
        self.queue.wake_after(Item("ComputeJob", job), PROGRESS_INTERVAL_SECONDS)

    def _make_cluster(self) -> KubeCluster:
        images = Images(
            jobkit=self._settings.jobkit_image, algorithms=self._settings.algorithms_image
        )
        namespace = self._settings.operator_namespace
        return KubeCluster(
            self._client,
            self.cache,
            Children(self._client, self.cache, images),
            Leases(self._client, namespace, new_identity()),
            NonceBooks(self._client, namespace, self.metrics),
            OrderClaims(self._client, namespace),
            self._progress.latest,
        )

    def _count_at_scrape(self) -> None:
        self.metrics.add(lambda: [jobs_metric(self.cache.compute_jobs.all())])
        self.metrics.add(lambda: [publications_metric(self.cache.assets.all())])
        self.metrics.add(lambda: [silence_metric(self._signs.silence_seconds())])

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for resource in self._kinds.values():
            group, _, version = resource.base.removeprefix("/apis/").rpartition("/")
            handler = partial(self._event, resource.kind)
            kopf.on.event(
                group="" if group == "/api" else group,
                version=version,
                plural=resource.plural,
                id=resource.plural,
                registry=registry,
            )(handler)
        return registry

    def _kopf_settings(self) -> kopf.OperatorSettings:
        limits, settings = self._settings.watch, kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.server_timeout = limits.server_timeout
        settings.watching.client_timeout = limits.client_timeout
        settings.watching.connect_timeout = limits.connect_timeout
        settings.watching.inactivity_timeout = limits.inactivity
        for resource in (JOBS, PODS):
            settings.watching.label_selectors[resource.plural] = MANAGED_SELECTOR
        return settings

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        """Kopf asks again when the API server no longer takes the token."""
        session = self._connection.session(
            headers=await self._connection.headers(), response_class=observing(self._signs)
        )
        return kopf.AiohttpSession(server=self._connection.host, aiohttp_session=session)

    async def _event(self, kind: str, event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        self.cache.watched(kind, body, deleted=event["type"] == "DELETED")
