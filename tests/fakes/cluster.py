"""A Cluster in memory: the laptop's objects, and steps that do what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from jobkit.report import Report
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Progress
from posthuman.api.meta import Key
from posthuman.errors import SecretForbidden, TransientError
from posthuman.jobs.steps import Anchor, Private, Role, Step, StepState
from posthuman.local.objects import Objects
from posthuman.ports import JobEvent, NonceBook, OrderClaim


class FakeCluster:
    """See ports.Cluster. `made` lists every step in the order of creation."""

    def __init__(self, objects: Objects | None = None, prepared: bool = True) -> None:
        self.objects = objects or Objects()
        self.prepared = prepared
        self.anchors: dict[Key, Anchor] = {}
        self.made: list[Step] = []
        self.graces: list[float] = []  # that deleted steps were given, in seconds
        self.events: list[JobEvent] = []
        self.closed: set[str] = set()  # namespaces whose Secrets the operator may not read
        self.privates: dict[str, Private] = {}
        self.owners: dict[str, str] = {}  # of privates, by name: the anchor
        self.turns: dict[str, str] = {}
        self.writes = 0
        self.lease_is_ours = True
        self.epoch = "1-first"
        self._steps: dict[Key, StepState] = {}

    # What a test makes the pods do.

    def progress(self, name: str, progress: Progress | None = None, started_at: str = "") -> None:
        """Every pod of the step runs."""
        self._change(name, state="Running", progress=progress, started_at=started_at, live_pods=1)

    def wait(self, name: str, reason: str, message: str = "") -> None:
        """The step's pods can't start, and why."""
        self._change(name, state="Pending", reason=reason, message=message)

    def end(
        self,
        name: str,
        state: Literal["Succeeded", "Failed"] = "Succeeded",
        report: Report | None = None,
        exit_code: int = 0,
        reason: str = "",
        ended_at: str = "",
    ) -> None:
        """The step's pods ended."""
        self._change(
            name,
            state=state,
            report=report,
            exit_code=exit_code,
            reason=reason,
            ended_at=ended_at,
            live_pods=0,
        )

    def vanish(self, name: str) -> None:
        """Somebody deleted the step, and its pods are gone."""
        self._steps.pop(self._key_of(name))

    def _change(self, name: str, **changes: object) -> None:
        key = self._key_of(name)
        self._steps[key] = msgspec.structs.replace(self._steps[key], **changes)

    def _key_of(self, name: str) -> Key:
        return next(key for key in self._steps if key.name == name)

    # The port.

    async def job(self, key: Key, fresh: bool = False) -> ComputeJob | None:
        return self.objects.find(ComputeJob, key)

    async def asset(self, key: Key, fresh: bool = False) -> ModelAsset | None:
        return self.objects.find(ModelAsset, key)

    async def environment(self, name: str) -> ComputeEnvironment | None:
        return self.objects.find(ComputeEnvironment, Key("", name))

    async def environment_names(self) -> Sequence[str]:
        return [found.metadata.name for found in self.objects.all(ComputeEnvironment)]

    async def jobs_of(self, environment: str) -> Sequence[ComputeJob]:
        found = self.objects.all(ComputeJob)
        return [job for job in found if job.spec.environment_ref.name == environment]

    async def assets_of(self, environment: str) -> Sequence[ModelAsset]:
        found = self.objects.all(ModelAsset)
        return [asset for asset in found if asset.spec.environment_ref.name == environment]

    async def anchor_exists(self, namespace: str, name: str) -> bool:
        return Key(namespace, name) in self.anchors

    async def steps(self, namespace: str, job_uid: str) -> Sequence[StepState]:
        owned = {anchor.name for anchor in self.anchors.values() if anchor.job_uid == job_uid}
        return [
            state
            for key, state in self._steps.items()
            if key.namespace == namespace and any(key.name.startswith(name) for name in owned)
        ]

    async def step(self, namespace: str, name: str) -> StepState | None:
        return self._steps.get(Key(namespace, name))

    async def create_anchor(self, anchor: Anchor) -> None:
        self.anchors.setdefault(Key(anchor.namespace, anchor.name), anchor)

    async def delete_anchor(self, namespace: str, name: str) -> None:
        gone = self.anchors.pop(Key(namespace, name), None)
        self.privates = {n: p for n, p in self.privates.items() if self.owners[n] != name}
        if gone:
            self.turns = {n: job for n, job in self.turns.items() if job != gone.job_uid}
        for key in [key for key in self._steps if key.name.startswith(name)]:
            del self._steps[key]

    async def strays(self, job: Key) -> Sequence[Key]:
        found = await self.job(job)
        uid = found.metadata.uid if found else ""
        return [
            key
            for key, anchor in self.anchors.items()
            if anchor.job == job and anchor.job_uid != uid
        ]

    async def create_step(self, anchor: Anchor, step: Step) -> None:
        key = Key(anchor.namespace, step.name)
        if key in self._steps:
            return
        self.made.append(step)
        self._steps[key] = StepState(
            name=step.name, role=step.role, attempt=step.attempt, state="Pending", live_pods=1
        )

    async def delete_step(self, namespace: str, name: str, grace_seconds: float) -> None:
        self.graces.append(grace_seconds)
        self._steps.pop(Key(namespace, name), None)

    async def create_asset(self, asset: ModelAsset) -> None:
        self.objects.create(asset)

    async def write_job(self, job: ComputeJob) -> None:
        self.writes += 1
        self.objects.write_status(job)

    async def write_asset(self, asset: ModelAsset) -> ModelAsset:
        self.writes += 1
        return self.objects.write_status(asset)

    async def write_environment(self, environment: ComputeEnvironment) -> None:
        self.writes += 1
        self.objects.write_status(environment)

    async def set_finalizer(self, kind: str, key: Key, present: bool) -> None:
        if kind == "ComputeJob":
            self.objects.set_finalizer(ComputeJob, key, present)
        elif kind == "ModelAsset":
            self.objects.set_finalizer(ModelAsset, key, present)
        else:
            self.objects.set_finalizer(ComputeEnvironment, key, present)

    async def delete_asset(self, key: Key) -> None:
        self.objects.delete(ModelAsset, key)

    async def delete_job(self, key: Key) -> None:
        self.objects.delete(ComputeJob, key)

    async def emit(self, event: JobEvent) -> None:
        self.events.append(event)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return self.objects.secret(Key(namespace, name))

    async def job_secret(self, job: Key, name: str) -> Mapping[str, bytes]:
        if job.namespace in self.closed:
            raise SecretForbidden(f"the operator may not read Secret {job.namespace}/{name}")
        return self.objects.secret(Key(job.namespace, name))

    async def put_private(self, anchor: Anchor, private: Private) -> None:
        if Key(anchor.namespace, anchor.name) not in self.anchors:
            raise TransientError(f"{anchor.name} is gone", "NoAnchor")
        self.privates[private.name] = private
        self.owners[private.name] = anchor.name

    async def delete_private(self, namespace: str, name: str) -> None:
        self.privates.pop(name, None)

    async def take_turn(self, anchor: Anchor, name: str) -> bool:
        return self.turns.setdefault(name, anchor.job_uid) == anchor.job_uid

    async def end_turn(self, anchor: Anchor, name: str) -> None:
        if self.turns.get(name) == anchor.job_uid:
            del self.turns[name]

    async def namespace_prepared(self, name: str) -> bool:
        return self.prepared

    async def nonce_book(self, chain_id: int, signer: str) -> NonceBook:
        return self.objects.nonce_book(chain_id, signer)

    async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
        self.objects.save_nonce_book(chain_id, signer, book)

    async def order_claim(self, order_id: str) -> OrderClaim:
        return self.objects.order_claim(order_id)

    async def save_order_claim(self, claim: OrderClaim) -> None:
        self.objects.save_order_claim(claim)

    async def hold_lease(self, name: str) -> str:
        return self.epoch if self.lease_is_ours else ""

    def made_of(self, role: Role) -> list[Step]:
        """Steps of a role that were made."""
        return [step for step in self.made if step.role is role]
