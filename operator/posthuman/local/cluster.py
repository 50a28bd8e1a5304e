"""The Cluster port on one machine: objects in memory, steps as processes, folders for volumes.

No root and no cluster. Nothing is sealed here: a process can reach the network and read this
user's files, and read-only mounts are only a promise.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.errors import Conflict
from posthuman.jobs.steps import Anchor, Private, Step, StepState
from posthuman.local.layout import layout_of, write_private
from posthuman.local.objects import Objects, Wake
from posthuman.local.programs import Machine, programs_of
from posthuman.local.running import RunningStep
from posthuman.ports import JobEvent, NonceBook, OrderClaim

log = logging.getLogger(__name__)

DELETE_GRACE_SECONDS = 10.0  # for processes whose anchor is deleted
CLOSE_GRACE_SECONDS = 2.0  # for all of them when the run ends


class LocalCluster:
    """One machine as a cluster. `close` ends every process; call it however the run ends."""

    def __init__(
        self,
        objects: Objects,
        workdir: Path,
        machine: Machine,
        tell: Callable[[JobEvent], None] = lambda _event: None,
    ) -> None:
        self._objects = objects
        self._workdir = workdir
        self._machine = machine
        self._tell = tell
        self._wake: Wake = lambda _kind, _key: None
        self._anchors: dict[Key, Anchor] = {}
        self._doomed: set[Key] = set()  # anchors being deleted
        self._steps: dict[Key, RunningStep] = {}
        self._turns: dict[str, str] = {}  # whose each turn is: a job's UID
        self._tasks: set[asyncio.Task[None]] = set()

    def on_change(self, wake: Wake) -> None:
        """Call `wake(kind, key)` after each change of an object, or of a job's steps."""
        self._wake = wake
        self._objects.on_change(wake)

    async def close(self) -> None:
        """End every process, and return when none lives."""
        for step in self._steps.values():
            step.terminate(CLOSE_GRACE_SECONDS)
        await asyncio.gather(*(step.ended() for step in self._steps.values()), *self._tasks)

    async def job(self, key: Key, fresh: bool = False) -> ComputeJob | None:
        """The job, or None; every read is fresh."""
        return self._objects.find(ComputeJob, key)

    async def asset(self, key: Key, fresh: bool = False) -> ModelAsset | None:
        """The asset, or None; there is no cache, so every read is fresh."""
        return self._objects.find(ModelAsset, key)

    async def environment(self, name: str) -> ComputeEnvironment | None:
        """The environment, or None."""
        return self._objects.find(ComputeEnvironment, Key("", name))

    async def environment_names(self) -> Sequence[str]:
        """Every environment's name."""
        return [found.metadata.name for found in self._objects.all(ComputeEnvironment)]

    async def jobs_of(self, environment: str) -> Sequence[ComputeJob]:
        """Jobs that name the environment."""
        jobs = self._objects.all(ComputeJob)
        return [job for job in jobs if job.spec.environment_ref.name == environment]

    async def assets_of(self, environment: str) -> Sequence[ModelAsset]:
        """Assets that name the environment."""
        assets = self._objects.all(ModelAsset)
        return [asset for asset in assets if asset.spec.environment_ref.name == environment]

    async def anchor_exists(self, namespace: str, name: str) -> bool:
        """True also while it is being deleted."""
        return Key(namespace, name) in self._anchors

    async def create_anchor(self, anchor: Anchor) -> None:
        """Make the job's folders, empty: an earlier run may have left a job of that name."""
        key = Key(anchor.namespace, anchor.name)
        if key not in self._anchors:
            self._anchors[key] = anchor
            layout = layout_of(self._workdir, anchor.job)
            await asyncio.to_thread(shutil.rmtree, layout.root, ignore_errors=True)
            layout.make()
            self._wake("ComputeJob", anchor.job)

    async def delete_anchor(self, namespace: str, name: str) -> None:
        """End the job's processes, then drop its workspace; logs of the steps stay."""
        key = Key(namespace, name)
        if key in self._anchors and key not in self._doomed:
            self._doomed.add(key)
            self._spawn(self._remove_anchor(key))

    async def steps(self, namespace: str, job_uid: str) -> Sequence[StepState]:
        """The job's steps."""
        return [
            step.state()
            for key, step in self._steps.items()
            if key.namespace == namespace and step.anchor.job_uid == job_uid
        ]

    async def step(self, namespace: str, name: str) -> StepState | None:
        """One step."""
        step = self._steps.get(Key(namespace, name))
        return step.state() if step else None

    async def strays(self, job: Key) -> Sequence[Key]:
        return ()  # nobody can take a job away from under its processes

    async def create_step(self, anchor: Anchor, step: Step) -> None:
        """Start its processes. Raises UserError for a container image, NotFound for a Secret that
        isn't there, Conflict if the anchor is gone or going."""
        owner, key = Key(anchor.namespace, anchor.name), Key(anchor.namespace, step.name)
        if key in self._steps:
            return
        if owner not in self._anchors or owner in self._doomed:
            raise Conflict(f"the folders of {anchor.job} are being removed")
        credentials = await self._credentials(step) if step.store_credentials else {}
        layout = layout_of(self._workdir, anchor.job)
        programs = programs_of(step, layout, self._machine, credentials)
        wake = partial(self._wake, "ComputeJob", anchor.job)
        running = self._steps[key] = RunningStep(step, anchor, wake)
        await running.start(programs)
        wake()

    async def delete_step(self, namespace: str, name: str, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace; the step is gone once its processes are."""
        key = Key(namespace, name)
        step = self._steps.get(key)
        if step is not None and not step.terminating:
            step.terminate(grace_seconds)
            self._spawn(self._forget_step(key, step))

    async def create_asset(self, asset: ModelAsset) -> None:
        """Raises Conflict when an asset of that name exists."""
        self._objects.create(asset)

    async def delete_asset(self, key: Key) -> None:
        """Absent is done."""
        self._objects.delete(ModelAsset, key)

    async def write_job(self, job: ComputeJob) -> None:
        """Raises Conflict, NotFound."""
        self._objects.write_status(job)

    async def write_asset(self, asset: ModelAsset) -> ModelAsset:
        """Raises Conflict, NotFound."""
        return self._objects.write_status(asset)

    async def write_environment(self, environment: ComputeEnvironment) -> None:
        """Raises Conflict, NotFound."""
        self._objects.write_status(environment)

    async def set_finalizer(self, kind: str, key: Key, present: bool) -> None:
        """Add or drop ours."""
        setters: dict[str, Callable[[Key, bool], None]] = {
            "ComputeJob": partial(self._objects.set_finalizer, ComputeJob),
            "ModelAsset": partial(self._objects.set_finalizer, ModelAsset),
            "ComputeEnvironment": partial(self._objects.set_finalizer, ComputeEnvironment),
        }
        setters[kind](key, present)

    async def delete_job(self, key: Key) -> None:
        """Absent is done."""
        self._objects.delete(ComputeJob, key)

    async def emit(self, event: JobEvent) -> None:
        """Tell the display."""
        self._tell(event)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """A Secret document of the environment's file. Raises NotFound."""
        return self._objects.secret(Key(namespace, name))

    async def job_secret(self, job: Key, name: str) -> Mapping[str, bytes]:
        """A Secret document beside the job: who wrote it there means it for the job."""
        return self._objects.secret(Key(job.namespace, name))

    async def put_private(self, anchor: Anchor, private: Private) -> None:
        """Files that only this user can read."""
        folder = layout_of(self._workdir, anchor.job).private / private.name
        await asyncio.to_thread(write_private, folder, private.content)

    async def delete_private(self, namespace: str, name: str) -> None:
        """Absent is done."""
        for anchor in self._anchors.values():
            folder = layout_of(self._workdir, anchor.job).private / name
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def take_turn(self, anchor: Anchor, name: str) -> bool:
        """One job at a time."""
        return self._turns.setdefault(name, anchor.job_uid) == anchor.job_uid

    async def end_turn(self, anchor: Anchor, name: str) -> None:
        """If it is the job's."""
        if self._turns.get(name) == anchor.job_uid:
            del self._turns[name]

    async def namespace_prepared(self, name: str) -> bool:
        """A folder needs no preparing."""
        return True

    async def nonce_book(self, chain_id: int, signer: str) -> NonceBook:
        """Kept for this run alone: the next one asks the chain."""
        return self._objects.nonce_book(chain_id, signer)

    async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
        """Raises Conflict."""
        self._objects.save_nonce_book(chain_id, signer, book)

    async def order_claim(self, order_id: str) -> OrderClaim:
        """Kept for this run alone, as the jobs are."""
        return self._objects.order_claim(order_id)

    async def save_order_claim(self, claim: OrderClaim) -> None:
        """Raises Conflict."""
        self._objects.save_order_claim(claim)

    async def hold_lease(self, name: str) -> str:
        """The working folder's lock is the lease of all (local/lock.py)."""
        return "local"

    async def _credentials(self, step: Step) -> dict[str, str]:
        """The store's key pair, as jobkit wants it. Raises NotFound."""
        spec = step.environment.spec
        if spec.store.credentials_secret is None:
            return {}
        secret = await self.secret(spec.work_namespace, spec.store.credentials_secret.name)
        return {
            "AWS_ACCESS_KEY_ID": secret["accessKeyId"].decode(),
            "AWS_SECRET_ACCESS_KEY": secret["secretAccessKey"].decode(),
        }

    async def _forget_step(self, key: Key, step: RunningStep) -> None:
        await step.ended()
        if self._steps.get(key) is step:
            del self._steps[key]
        self._wake("ComputeJob", step.anchor.job)

    async def _remove_anchor(self, key: Key) -> None:
        anchor = self._anchors[key]
        mine = {n: s for n, s in self._steps.items() if s.anchor.job_uid == anchor.job_uid}
        for step in mine.values():
            step.terminate(DELETE_GRACE_SECONDS)
        for name, step in mine.items():
            await step.ended()
            self._steps.pop(name, None)
        layout = layout_of(self._workdir, anchor.job)
        for folder in (layout.workspace, layout.private):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._turns = {name: job for name, job in self._turns.items() if job != anchor.job_uid}
        del self._anchors[key]
        self._doomed.discard(key)
        self._wake("ComputeJob", anchor.job)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
