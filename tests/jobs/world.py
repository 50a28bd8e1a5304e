"""A job, its reconciler and a fake cluster with a fake store; `passes()` lets it come to rest."""

from __future__ import annotations

from typing import Any

import msgspec

from jobkit.manifest import Manifest, ManifestFile, ModelFacts, digest_of, encode_manifest
from jobkit.report import Report
from posthuman.api.conditions import find_condition
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobStatus, Phase
from posthuman.api.meta import Key
from posthuman.chain_ports import ChainReader, Provider, ReceiptSigner
from posthuman.errors import NotFound, TransientError
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role
from posthuman.ledger.account import DEV_KEYS
from posthuman.local.objects import Objects
from posthuman.ports import Cluster, ResultStore
from tests.assets.lines import put_line
from tests.builders import SETTINGS, HeldClock, asset, environment, job
from tests.fakes.cluster import FakeCluster
from tests.fakes.ledger import FakeChain, FakeReader
from tests.fakes.provider import FakeProvider
from tests.fakes.result_store import FakeResultStore
from tests.receipts.signers import open_receipt_signer

UNTIL_REST = 12


class World:
    """One environment; jobs are added by `submit`."""

    def __init__(self, **environment_spec: Any) -> None:
        self.clock = HeldClock()
        self.objects = Objects(now=self.clock.now)
        self.cluster = FakeCluster(self.objects)
        self.store = FakeResultStore()
        self.chain = FakeChain()
        put_line(self.chain, asset())
        self.provider = FakeProvider()
        self.key_missing = False
        self.reconciler = self.with_ports(self.cluster)
        made = self.objects.create(environment(**environment_spec))
        self.environment = made

    def with_ports(self, cluster: Cluster, store: ResultStore | None = None) -> JobReconciler:
        """A reconciler over the same world, seen through these ports."""

        async def store_of(environment: ComputeEnvironment) -> ResultStore:
            return store or self.store

        return JobReconciler(
            cluster,
            store_of,
            self.signer_of,
            self.reader_of,
            self.clock,
            SETTINGS,
            self.provider_of,
        )

    async def provider_of(self, environment: ComputeEnvironment) -> Provider:
        """Of the world's own."""
        return self.provider

    async def reader_of(self, environment: ComputeEnvironment) -> ChainReader:
        """Of the chain in memory, while it is reachable."""
        if not self.chain.reachable:
            raise TransientError("the node is away", "ChainUnreachable")
        return FakeReader(self.chain)

    async def signer_of(self, environment: ComputeEnvironment) -> ReceiptSigner:
        """The environment's key; it can be taken away."""
        if self.key_missing:
            raise NotFound("there is no Secret work/chain", "SecretNotFound")
        assert environment.spec.chain
        return open_receipt_signer(DEV_KEYS[9], environment.spec.chain.chain_id)

    def submit(self, name: str = "bob-trains", uid: str = "11112222-3333", **spec: Any) -> Key:
        """Apply a job; returns its key."""
        return self.objects.create(job(name, uid, **spec), uid=uid).metadata.key

    def edit(self, key: Key, **spec: Any) -> None:
        """A person changes suspend, stop or the like."""
        found = self.get(key)
        self.objects.write_spec(
            msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, **spec))
        )

    def get(self, key: Key) -> ComputeJob:
        found = self.objects.find(ComputeJob, key)
        assert found is not None
        return found

    def status(self, key: Key) -> JobStatus:
        return self.get(key).status

    def reason(self, key: Key) -> str:
        """Why the job isn't done, or how it ended."""
        found = find_condition(self.status(key).conditions, "Succeeded")
        return found.reason if found else ""

    async def passes(self, key: Key, count: int = UNTIL_REST) -> float | None:
        """Reconcile until nothing changes any more; what the last pass asked for."""
        again = None
        for _ in range(count):
            again = await self.reconciler.reconcile(key)
        return again

    def step(self, role: Role) -> str:
        """The name of the newest step of a role."""
        return self.cluster.made_of(role)[-1].name

    async def to_running(self, key: Key) -> None:
        """Staged, its pods running."""
        await self.passes(key)
        self.cluster.end(self.step(Role.STAGE))
        await self.passes(key)
        started = self.clock.now().isoformat()
        self.cluster.progress(self.step(Role.RUN), started_at=started)
        await self.passes(key)
        assert self.status(key).phase is Phase.RUNNING

    async def to_exporting(self, key: Key) -> None:
        """Its algorithm ended well."""
        await self.to_running(key)
        self.clock.forward(60)
        self.cluster.end(self.step(Role.RUN), ended_at=self.clock.now().isoformat())
        await self.passes(key)
        assert self.status(key).phase is Phase.EXPORTING

    async def export(
        self, key: Key, outcome: str = "Succeeded", reason: str = "Exported", model: bool = True
    ) -> None:
        """The export pod ends, and the job looks at what it left."""
        await self.finish_export(key, outcome, reason, model)
        await self.passes(key)

    async def finish_export(
        self, key: Key, outcome: str = "Succeeded", reason: str = "Exported", model: bool = True
    ) -> None:
        """The export pod uploads, the manifest last, and ends."""
        path = "model/config.json" if model else "report.json"
        file = ManifestFile(path=path, sha256="0" * 64, size=2, file_class="custody")
        facts = ModelFacts(model_type="gpt2", parameter_count=1, dtype="F32") if model else None
        raw = encode_manifest(Manifest(files=(file,), outcome=outcome, model=facts))
        await self.store.put(f"jobs/{self.get(key).metadata.uid}/manifest.json", raw)
        report = Report(reason=reason, message="", details={"manifestDigest": digest_of(raw)})
        self.cluster.end(self.step(Role.EXPORT), report=report)
