"""A world for one asset or many: a cluster in memory, a store with its manifest, a chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import msgspec

from jobkit.manifest import Manifest, ManifestFile, ModelFacts, digest_of, encode_manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Condition, Key
from posthuman.api.parse import parse
from posthuman.assets.reconcile import AssetReconciler
from posthuman.chain_ports import ChainReader, Ledger
from posthuman.errors import Conflict
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ports import Cluster, NonceBook, ResultStore
from tests.builders import BOB, CHAIN, HeldClock, environment
from tests.fakes.cluster import FakeCluster
from tests.fakes.ledger import FakeChain, FakeLedger, FakeReader
from tests.fakes.result_store import FakeResultStore

JOB_UID = "11112222-3333"
PREFIX = f"jobs/{JOB_UID}"
PARENT = "did:op:" + "1" * 64
TOKENS = 10**18
REWARD_WEI = 200 * TOKENS
MOST_PASSES = 2000
EFFECTS = frozenset({"write_asset", "save_nonce_book", "set_finalizer", "send", "emit"})
MANIFEST = Manifest(
    files=(
        ManifestFile(path="model/model.safetensors", sha256="0" * 64, size=7, file_class="custody"),
    ),
    job={"namespace": "bob", "name": "bob-trains", "uid": JOB_UID},
    metrics={"loss": 2.5},
    model=ModelFacts(model_type="gpt2", parameter_count=124_000_000, dtype="float32"),
)
DIGEST = digest_of(encode_manifest(MANIFEST))


class Crash(BaseException):
    """The process is gone."""


class Tripwire:
    """Crashes after the n-th call to the world (or `before` it); `calls` says how many there were.

    `effects` alone: only calls that change something count, since after one that reads the world is
    as it was before it.
    """

    def __init__(self, at: int = -1, effects: bool = False, before: bool = False) -> None:
        self.at = at
        self.at_name = ""  # or after the first call of this name
        self.effects = effects
        self.before = before
        self.calls: list[str] = []

    def passed(self, name: str) -> None:
        """One more call has been answered."""
        if self.effects and name not in EFFECTS:
            return
        self.calls.append(name)
        if len(self.calls) == self.at or name == self.at_name:
            raise Crash(f"at call {self.at}, {name}")


class Watched:
    """A port whose every coroutine passes a tripwire after it had its effect."""

    def __init__(self, port: object, wire: Tripwire) -> None:
        self._port = port
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def watched(*arguments: Any, **named: Any) -> Any:
            if self._wire.before:
                self._wire.passed(name)
                return await found(*arguments, **named)
            answer = await found(*arguments, **named)
            self._wire.passed(name)
            return answer

        return watched


class Opener(Protocol):
    """Opens the signer's ledger anew, as a restarted process does."""

    def __call__(self) -> Ledger: ...


def model_asset(name: str = "gpt2-wiki", **spec: Any) -> ModelAsset:
    """What Bob's job publishes, with 200 datatokens for him."""
    body = {
        "metadata": {"name": name, "namespace": "bob"},
        "spec": {
            "environmentRef": {"name": "a100"},
            "owner": BOB,
            "source": {"prefix": PREFIX, "manifestDigest": DIGEST},
            "metadata": {"name": "GPT-2 on WikiText-2", "description": "500 more steps"},
            "parents": [PARENT],
            "reward": {"to": BOB, "amount": "200"},
            "jobUid": JOB_UID,
            **spec,
        },
    }
    return parse(body, ModelAsset)


class World:
    """All that outlives a crash of the operator."""

    breath_seconds = 0.0  # between passes: a real node mines beside us

    def __init__(self, open_ledger: Opener | None = None, **chain: Any) -> None:
        self.chain = FakeChain()
        self.open_ledger: Opener = open_ledger or (lambda: FakeLedger(self.chain))
        self.cluster = FakeCluster()
        self.store = FakeResultStore()
        self.store.objects[f"{PREFIX}/manifest.json"] = encode_manifest(MANIFEST)
        self.clock = HeldClock()
        self.cluster.objects.create(environment(chain={**CHAIN, **chain}))

    def open_reader(self) -> ChainReader:
        """What anyone reads of the chain."""
        return FakeReader(self.chain)

    def add(self, asset: ModelAsset | None = None) -> Key:
        """Somebody applies an asset."""
        return self.cluster.objects.create(asset or model_asset()).metadata.key

    def asset(self, key: Key) -> ModelAsset:
        """As the API server holds it."""
        found = self.cluster.objects.find(ModelAsset, key)
        assert found
        return found

    def condition(self, key: Key, kind: str = "Published") -> Condition:
        """One of its conditions."""
        found = find_condition(self.asset(key).status.conditions, kind)
        assert found, f"no condition {kind}"
        return found

    def operator(self, wire: Tripwire | None = None) -> AssetReconciler:
        """A new process, which remembers nothing."""
        wire, ledger = wire or Tripwire(), self.open_ledger()
        return AssetReconciler(
            cast("Cluster", Watched(self.cluster, wire)),
            always(cast("ResultStore", Watched(self.store, wire))),
            always(cast("Ledger", Watched(ledger, wire))),
            self.clock,
            always(self.open_reader()),
            ProviderEncryptor,
        )

    async def run_until(
        self, done: Callable[[ModelAsset], bool], operator: AssetReconciler, key: Key
    ) -> None:
        """Pass after pass, with the clock moving as far as each pass asks."""
        for _ in range(MOST_PASSES):
            found = self.cluster.objects.find(ModelAsset, key)
            if found is None or done(found):
                return
            await self.one_pass(operator, key)
        raise AssertionError(f"not done: {self.asset(key).status}")

    async def one_pass(self, operator: AssetReconciler, key: Key) -> float | None:
        """A pass, and the wait it asks for; a conflict is tried again, as the queue does."""
        try:
            seconds = await operator.reconcile(key)
        except Conflict:
            seconds = 0.25
        self.clock.forward(seconds or 0)
        if seconds:
            await asyncio.sleep(self.breath_seconds)
        return seconds

    async def publish(self, key: Key, wire: Tripwire | None = None) -> None:
        """Until it is published and let go."""
        await self.run_until(at_rest, self.operator(wire), key)

    def forget_status(self, key: Key) -> None:
        """A restore that brings back specs, but no status and no finalizer."""
        meta = self.asset(key).metadata
        self.cluster.objects.set_finalizer(ModelAsset, key, False)
        self.cluster.objects.delete(ModelAsset, key)
        fresh = msgspec.structs.replace(model_asset(), metadata=_named(meta.name))
        self.cluster.objects.create(fresh)

    def forget_nonces(self) -> None:
        """A restore that brings back no nonce book either."""
        signer = self.open_ledger().signer
        empty = msgspec.structs.replace(self.book(), next_nonce=-1, reserved={}, fillers={})
        self.cluster.objects.save_nonce_book(8996, signer, empty)

    def book(self) -> NonceBook:
        """The signer's nonces, as stored."""
        return self.cluster.objects.nonce_book(8996, self.open_ledger().signer)

    def held(self) -> dict[str, int]:
        """Nonces that are reserved."""
        return self.book().reserved


def at_rest(asset: ModelAsset) -> bool:
    """Published, and its finalizer dropped."""
    published = is_true(asset.status.conditions, "Published")
    return published and not asset.metadata.finalizers


def begun(asset: ModelAsset) -> bool:
    """Signed bytes are stored."""
    return bool(asset.status.transactions)


def _named(name: str) -> Any:
    return model_asset(name).metadata


def always(port: Any) -> Callable[[ComputeEnvironment], Awaitable[Any]]:
    async def of(environment: ComputeEnvironment) -> Any:
        return port

    return of
