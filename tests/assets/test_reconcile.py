"""The loop around decide(): what hinders it is told, and heals."""

from __future__ import annotations

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import FINALIZER, Key
from posthuman.assets.reconcile import AssetReconciler
from posthuman.chain_ports import Ledger
from posthuman.errors import Conflict, NotFound, SecretForbidden
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ports import NonceBook, ResultStore
from tests.assets.world import (
    PREFIX,
    REWARD_WEI,
    World,
    always,
    at_rest,
    begun,
    model_asset,
)
from tests.builders import BOB
from tests.fakes.cluster import FakeCluster
from tests.fakes.ledger import FakeLedger


async def test_a_publication_tells_its_story_once() -> None:
    world = World()
    key = world.add()
    await world.publish(key)
    assert [event.reason for event in world.cluster.events] == [
        "Accepted",
        "NFTCreated",
        "MetadataSet",
        "RewardMinted",
        "NFTTransferred",
        "Published",
    ]
    assert {event.key for event in world.cluster.events} == {key}
    assert {event.kind for event in world.cluster.events} == {"ModelAsset"}


async def test_a_pass_writes_the_status_at_most_once_and_only_what_changed() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    while not at_rest(world.asset(key)):
        before = world.cluster.writes
        await world.one_pass(operator, key)
        assert world.cluster.writes - before <= 1
    assert world.cluster.writes == 9  # the epoch; stored and confirmed, four times
    before = world.cluster.writes
    await operator.reconcile(key)
    assert world.cluster.writes == before


async def test_a_published_asset_asks_nobody() -> None:
    world = World()
    key = world.add()
    await world.publish(key)
    world.chain.calls.clear()
    await world.operator().reconcile(key)
    assert world.chain.calls == []


async def test_an_asset_that_is_gone_needs_nothing() -> None:
    assert await World().operator().reconcile(Key("bob", "absent")) is None


async def test_an_unreachable_chain_is_told_and_heals() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    await world.run_until(begun, operator, key)
    world.chain.reachable = False
    assert await world.one_pass(operator, key) == 5.0
    assert world.condition(key, "Ready").reason == "ChainUnreachable"
    world.chain.reachable = True
    await world.run_until(at_rest, operator, key)


async def test_an_empty_purse_is_told_holds_no_nonce_and_heals() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    signer = world.open_ledger().signer
    world.chain.balances[signer] = 0
    for _ in range(3):
        await world.one_pass(operator, key)
    assert world.condition(key).reason == "PurseEmpty"
    assert not world.held()
    world.chain.balances[signer] = 10**18
    await world.run_until(at_rest, operator, key)


async def test_a_purse_emptied_before_sending_is_told_and_heals() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    await world.run_until(begun, operator, key)
    signer = world.open_ledger().signer
    world.chain.balances[signer] = 0
    await world.one_pass(operator, key)
    assert world.condition(key).reason == "PurseEmpty"
    world.chain.balances[signer] = 10**18
    await world.run_until(at_rest, operator, key)


async def test_another_chain_is_told_before_anything_is_signed() -> None:
    world = World(chainId=1)
    world.open_ledger = lambda: FakeLedger(world.chain, chain_id=1)
    key = world.add()
    await world.one_pass(world.operator(), key)
    assert world.condition(key).reason == "ChainIdMismatch"
    assert not begun(world.asset(key))


async def test_another_operators_lease_is_respected_and_nothing_is_written_against_it() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    await world.run_until(begun, operator, key)
    world.cluster.lease_is_ours = False
    sent, writes = world.chain.calls.count("send"), world.cluster.writes
    assert await world.one_pass(operator, key) == 2.0
    assert (world.chain.calls.count("send"), world.cluster.writes) == (sent, writes)
    world.cluster.lease_is_ours = True
    await world.run_until(at_rest, operator, key)


async def test_a_store_that_is_away_is_told_and_heals() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    world.store.unavailable = True
    await world.one_pass(operator, key)
    assert world.condition(key).message == "the store can't be reached"
    world.store.unavailable = False
    await world.run_until(at_rest, operator, key)


async def test_missing_files_are_told_with_what_to_do() -> None:
    world = World()
    world.store.objects.clear()
    key = world.add()
    await world.one_pass(world.operator(), key)
    assert world.condition(key).reason == "ManifestMissing"
    assert "posthuman upload" in world.condition(key).message


async def test_an_unknown_environment_is_told_and_heals() -> None:
    world = World()
    key = world.add(model_asset(environmentRef={"name": "h100"}))
    operator = world.operator()
    await world.one_pass(operator, key)
    assert world.condition(key).reason == "EnvironmentNotFound"
    (found,) = world.cluster.objects.all(ComputeEnvironment)
    meta = msgspec.structs.replace(found.metadata, name="h100")
    world.cluster.objects.create(msgspec.structs.replace(found, metadata=meta))
    await world.run_until(at_rest, operator, key)


@pytest.mark.parametrize(
    "error",
    [NotFound("no Secret work/chain", "SecretNotFound"), SecretForbidden("may not be read")],
)
async def test_a_secret_that_cant_be_read_is_told(error: NotFound) -> None:
    world = World()
    key = world.add()

    async def no_store(environment: ComputeEnvironment) -> ResultStore:
        raise error

    async def no_ledger(environment: ComputeEnvironment) -> Ledger:
        raise error

    operator = AssetReconciler(
        world.cluster,
        no_store,
        no_ledger,
        world.clock,
        always(world.open_reader()),
        ProviderEncryptor,
    )
    assert await operator.reconcile(key) == 30.0
    assert world.condition(key).reason == error.reason
    assert world.condition(key).message == str(error)


async def test_a_person_publishes_with_one_manifest() -> None:
    world = World()
    upload = f"uploads/{BOB.lower()}/gpt2"
    world.store.objects[f"{upload}/manifest.json"] = world.store.objects[f"{PREFIX}/manifest.json"]
    source = {"prefix": upload, "manifestDigest": model_asset().spec.source.manifest_digest}
    key = world.add(model_asset(source=source, jobUid="", parents=[], reward=None))
    await world.publish(key)
    (nft,) = world.chain.nfts.values()
    assert (nft.owner, nft.minted) == (BOB, [])
    assert [found.step for found in world.asset(key).status.transactions] == [
        "create",
        "metadata",
        "transfer",
    ]


async def test_the_signer_keeps_its_own_asset() -> None:
    world = World()
    signer = world.open_ledger().signer
    key = world.add(model_asset(owner=signer.lower()))
    await world.publish(key)
    (nft,) = world.chain.nfts.values()
    assert nft.owner == signer
    assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]


async def test_a_deleted_asset_ends_what_is_in_flight_and_begins_nothing() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    await world.run_until(begun, operator, key)
    world.cluster.objects.delete(ModelAsset, key)
    assert FINALIZER in world.asset(key).metadata.finalizers
    await world.run_until(lambda _: False, operator, key)  # until it is gone
    assert not world.held()
    (nft,) = world.chain.nfts.values()
    assert (nft.ddos, nft.minted) == ([], [])


async def test_a_deleted_asset_that_never_began_goes_at_once() -> None:
    world = World()
    key = world.add()
    operator = world.operator()
    await world.one_pass(operator, key)
    world.cluster.objects.delete(ModelAsset, key)
    await world.one_pass(operator, key)
    assert not world.cluster.objects.all(ModelAsset)
    assert not world.chain.nfts


async def test_a_stale_view_of_the_asset_signs_nothing_new() -> None:
    """The cache shows the asset as it was before its bytes were stored."""
    world = World()
    key = world.add()
    operator = world.operator()
    await world.one_pass(operator, key)
    stale = world.asset(key)
    await world.run_until(begun, operator, key)
    stored = world.asset(key).status.transactions

    class Lagging(FakeCluster):
        async def asset(self, key: Key, fresh: bool = False) -> ModelAsset | None:
            return stale

    fresh, world.cluster = world.cluster, Lagging(world.cluster.objects)
    await world.one_pass(world.operator(), key)
    world.cluster = fresh
    assert world.asset(key).status.transactions == stored
    await world.publish(key)
    assert len(world.chain.nfts) == 1


async def test_a_contended_nonce_book_gives_every_asset_its_own_nonce() -> None:
    """Another writer changes the book between our reading and our writing it."""
    world = World()
    key = world.add()
    rivals = iter(range(3))

    class Contended(FakeCluster):
        async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
            if next(rivals, None) is not None:
                current = await self.nonce_book(chain_id, signer)
                await super().save_nonce_book(chain_id, signer, current)
            await super().save_nonce_book(chain_id, signer, book)

    world.cluster = Contended(world.cluster.objects)
    await world.publish(key)
    assert next(rivals, None) is None


async def test_a_book_that_never_rests_is_tried_again_later_and_nothing_is_signed() -> None:
    class Contended(FakeCluster):
        async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
            raise Conflict("changed")

    world = World()
    key = world.add()
    world.cluster = Contended(world.cluster.objects)
    operator = world.operator()
    for _ in range(2):  # the finalizer, the epoch
        await operator.reconcile(key)
    with pytest.raises(Conflict, match="keep changing"):
        await operator.reconcile(key)
    assert not begun(world.asset(key))


async def test_what_the_node_holds_is_not_sent_again_and_what_it_dropped_is() -> None:
    world = World()
    world.chain.automine = False
    key, operator = world.add(), world.operator()
    await world.run_until(begun, operator, key)
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.chain.calls.count("send") == 1
    assert "receipt" not in world.chain.calls  # of what can't have one yet
    world.chain.pool.clear()
    world.chain.mine()
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.chain.calls.count("send") == 2
    assert await world.one_pass(world.operator(), key)  # a new process knows nothing of it
    assert world.chain.calls.count("send") == 3
