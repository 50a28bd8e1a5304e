"""On a real chain: whatever later owners write into their DDOs, the first word of each stands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.conditions import find_condition
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, ImageAlgorithm
from posthuman.api.meta import Condition, Key
from posthuman.chain import CreatedNFT
from posthuman.chain_ports import ChainReader
from posthuman.environments.program import program_digest
from posthuman.jobs.reconcile import JobReconciler
from posthuman.ledger.reader import open_reader
from tests.assets.lines import service
from tests.assets.real import RealWorld
from tests.assets.strangers import ALICE_KEY, BOB_KEY, REVOKED, Person, person
from tests.assets.world import always, model_asset
from tests.builders import ALICE, SETTINGS, TEXT_INPUT, job
from tests.fakes.provider import FakeProvider
from tests.receipts.signers import open_receipt_signer
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
IMAGE: dict[str, Any] = {
    "reference": "ghcr.io/acme/x",
    "digest": "sha256:" + "1" * 64,
    "entrypoint": ["steal"],
}
PROGRAM = program_digest(msgspec.convert(IMAGE, ImageAlgorithm))
SERVICES = ("train", "infer", "evaluate")


class Market(RealWorld):
    """An environment with its signer, whose published models jobs ask for."""

    def __init__(self, chain: Chain, signer: LocalAccount, *trusted: str) -> None:
        self._reader = open_reader(chain.url, chain.spec())
        super().__init__(chain, signer)
        self.trust(*trusted)
        receipts = open_receipt_signer(bytes(signer.key), chain.spec().chain_id)
        self.jobs = JobReconciler(
            self.cluster,
            always(self.store),
            always(receipts),
            always(self._reader),
            self.clock,
            SETTINGS,
            always(FakeProvider()),
        )

    def trust(self, *programs: str) -> None:
        """What the environment's own policy trusts from now on; its signer is the world's."""
        (found,) = self.cluster.objects.all(ComputeEnvironment)
        policy = msgspec.structs.replace(
            found.spec.policy, trusted_algorithms=programs, allowed_images=("ghcr.io/acme",)
        )
        spec = msgspec.structs.replace(found.spec, policy=policy)
        found = self.cluster.objects.write_spec(msgspec.structs.replace(found, spec=spec))
        status = msgspec.structs.replace(found.status, signer=self.account.address)
        self.cluster.objects.write_status(msgspec.structs.replace(found, status=status))

    def open_reader(self) -> ChainReader:
        return self._reader

    async def close(self) -> None:
        await self._reader.close()
        await super().close()

    async def published(self, name: str, *parents: str, **spec: Any) -> Key:
        """Somebody's asset, made from others."""
        dids = [self.asset(Key("bob", parent)).status.did for parent in parents]
        key = self.add(model_asset(name, parents=dids, **spec))
        await self.publish(key)
        return key

    def nft(self, name: str) -> str:
        return self.asset(Key("bob", name)).status.nft

    async def creation(self, name: str) -> CreatedNFT:
        found = await self._reader.creation(self.asset(Key("bob", name)).status.did)
        assert found
        return found

    async def ddo(self, name: str) -> dict[str, Any]:
        """The one that was set first."""
        said = await self._reader.first_ddo(await self.creation(name))
        assert said
        found: dict[str, Any] = json.loads(said.content)
        return found

    async def verdict(self, model: str, **spec: Any) -> Condition:
        """What becomes of a job that trains (by default) on this model."""
        held = {"name": "model", "kind": "model", "assetRef": {"namespace": "bob", "name": model}}
        uid = f"job-{len(self.cluster.objects.all(ComputeJob))}"
        wanted = job(uid, uid, inputs=[held, TEXT_INPUT], **spec)
        key = self.cluster.objects.create(wanted, uid=uid).metadata.key
        await self.jobs.reconcile(key)
        found = self.cluster.objects.find(ComputeJob, key)
        assert found
        condition = find_condition(found.status.conditions, "Accepted")
        assert condition
        return condition

    async def reason(self, model: str, **spec: Any) -> str:
        """Why not; empty if the job is accepted."""
        condition = await self.verdict(model, **spec)
        return "" if condition.status == "True" else condition.reason


@pytest.fixture
async def market(chain: Chain) -> AsyncIterator[Market]:
    world = Market(chain, await chain.new_account())
    yield world
    await world.close()


@pytest.fixture
async def bob(chain: Chain) -> AsyncIterator[Person]:
    async with person(chain, BOB_KEY) as found:
        yield found


@pytest.fixture
async def alice(chain: Chain) -> AsyncIterator[Person]:
    async with person(chain, ALICE_KEY) as found:
        yield found


HOSTILE = {"algorithm": {"image": IMAGE}}
INFER = {"algorithm": {"builtin": {"name": "question-answer"}}}


async def test_whatever_bob_writes_later_his_buyers_get_no_more(
    market: Market, bob: Person
) -> None:
    """A hostile program, trusted by Bob and even by the admin, other files, other services."""
    await market.published("alices", owner=ALICE)
    await market.published("bobs", "alices", services=[{"kind": "train"}])
    assert await market.reason("bobs") == ""
    first = await market.ddo("bobs")
    market.trust(PROGRAM)
    for services in (
        [service("train", (PROGRAM,)), service("infer", (PROGRAM,))],
        [service("train", publisherTrustedAlgorithms=["*"])],
        [service("infer", publisherTrustedAlgorithmPublishers=["*"])],
    ):
        await bob.set_ddo(market.nft("bobs"), {**first, "services": services})
        assert await market.reason("bobs", **HOSTILE) in (
            "AlgorithmNotTrusted",
            "ServiceNotOffered",
        )
        assert await market.reason("bobs", **INFER) == "ServiceNotOffered"


async def test_other_files_in_a_later_ddo_are_read_by_nobody(market: Market, bob: Person) -> None:
    await market.published("alices", owner=ALICE)
    await market.published("bobs", "alices")
    first = await market.ddo("bobs")
    elsewhere = {"manifestDigest": "sha256:" + "9" * 64, "prefix": "uploads/bob/other"}
    facts = {"additionalInformation": {"posthuman": elsewhere}}
    services = [{**found, "files": "0x00"} for found in first["services"]]
    changed = {**first, "metadata": {**first["metadata"], **facts}, "services": services}
    await bob.set_ddo(market.nft("bobs"), changed)
    assert await market.reason("bobs") == ""
    used = market.cluster.objects.all(ComputeJob)[-1].status.inputs[0]
    created = await market.creation("bobs")
    assert used.manifest_digest == created.publication.manifest_digest
    assert used.prefix == market.asset(Key("bob", "bobs")).spec.source.prefix


async def test_an_asset_whose_spec_was_changed_since_is_refused(market: Market) -> None:
    """By whoever may write past the API's rules: a restored backup, an admin by force."""
    key = await market.published("alices", owner=ALICE)
    asset = market.asset(key)
    source = msgspec.structs.replace(asset.spec.source, manifest_digest="sha256:" + "9" * 64)
    spec = msgspec.structs.replace(asset.spec, source=source)
    market.cluster.objects.write_spec(msgspec.structs.replace(asset, spec=spec))
    assert await market.reason("alices") == "AssetChanged"


async def test_whoever_narrows_is_obeyed_down_the_line(
    market: Market, alice: Person, bob: Person
) -> None:
    await market.published("alices", owner=ALICE)
    await market.published("bobs", "alices")
    await market.published("charlies", "bobs")
    assert await market.reason("charlies") == ""
    first = await market.ddo("bobs")
    only_infers = [found for found in first["services"] if found["id"] == "infer"]
    await bob.set_ddo(market.nft("bobs"), {**first, "services": only_infers})
    for name in ("bobs", "charlies"):
        assert await market.reason(name) == "ServiceNotOffered"
        assert await market.reason(name, **INFER) == ""
    assert await market.reason("alices") == ""
    await alice.set_ddo(market.nft("alices"), await market.ddo("alices"), REVOKED)
    for name in ("alices", "bobs", "charlies"):
        assert await market.reason(name, **INFER) == "ServiceNotOffered"


async def test_a_grandchild_obeys_its_grandparent(market: Market) -> None:
    """Alice trusts the program for nothing, her heirs trust it from the first: not enough."""
    market.trust(PROGRAM)
    trusting = [{"kind": kind, "trustedAlgorithms": [PROGRAM]} for kind in SERVICES]
    strict = [{"kind": kind} for kind in SERVICES]
    await market.published("free", owner=ALICE, services=trusting)
    await market.published("strict", owner=ALICE, services=strict)
    for parent, reason in (("free", ""), ("strict", "AlgorithmNotTrusted")):
        await market.published(f"{parent}-child", parent, services=trusting)
        await market.published(f"{parent}-grandchild", f"{parent}-child", services=trusting)
        assert await market.reason(f"{parent}-grandchild", **HOSTILE) == reason
        assert await market.reason(f"{parent}-grandchild") == ""


async def test_by_default_it_trusts_what_the_environment_trusted_when_it_was_published(
    market: Market,
) -> None:
    await market.published("before", owner=ALICE)
    market.trust(PROGRAM)
    await market.published("after", owner=ALICE)
    assert await market.reason("before", **HOSTILE) == "AlgorithmNotTrusted"
    assert await market.reason("after", **HOSTILE) == ""
    market.trust()  # and both are needed
    assert await market.reason("after", **HOSTILE) == "AlgorithmNotTrusted"


async def test_an_owner_may_sell_to_nobodys_built_ins(market: Market) -> None:
    await market.published("own", owner=ALICE, services=[{"kind": "train", "builtins": False}])
    assert await market.reason("own") == "AlgorithmNotTrusted"


async def test_what_another_signer_published_is_strange_here(market: Market, chain: Chain) -> None:
    other = Market(chain, await chain.new_account())
    key = await other.published("theirs", owner=ALICE)
    found = msgspec.structs.replace(other.asset(key), metadata=model_asset("theirs").metadata)
    made = market.cluster.objects.create(found)
    market.cluster.objects.write_status(msgspec.structs.replace(made, status=found.status))
    assert await market.reason("theirs") == "UnknownPublisher"
    await other.close()
