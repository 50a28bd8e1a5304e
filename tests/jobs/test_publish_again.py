"""A publication that was given up begins anew under the same id, when a person asks for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.job import Phase
from posthuman.api.meta import ANNOTATION_PUBLISH_AGAIN, Condition, Key
from posthuman.assets.publication_id import publication_id
from posthuman.receipts.signed import read_signed
from tests.builders import CHAIN, asset
from tests.jobs.test_life import PUBLISH
from tests.jobs.world import World

DID = "did:op:" + "2" * 64
RECEIPT = "jobs/11112222-3333/receipt.json"


async def publishing(world: World, **spec: Any) -> tuple[Key, ModelAsset]:
    """A job that publishes, and the asset that it made."""
    key = world.submit(publish=PUBLISH, **spec)
    await world.to_exporting(key)
    await world.export(key)
    made = world.objects.find(ModelAsset, key)
    assert made
    return key, made


async def abandoned(world: World) -> tuple[Key, ModelAsset]:
    """Its asset was deleted."""
    key, made = await publishing(world)
    await delete(world, key)
    assert_ended(world, key, Phase.FAILED, "PublicationAbandoned")
    return key, made


async def delete(world: World, key: Key) -> None:
    world.objects.delete(ModelAsset, key)
    await world.passes(key)


async def publish(world: World, key: Key) -> None:
    """The asset's own reconcile ends well."""
    found = world.objects.find(ModelAsset, key)
    assert found
    ready = Condition(type="Ready", status="True", reason="Published")
    new = AssetStatus(did=DID, conditions=(ready,))
    world.objects.write_status(msgspec.structs.replace(found, status=new))
    await world.passes(key)


async def ask(world: World, key: Key, finished_at: str = "") -> None:
    """As `posthuman publish --job` does."""
    found = world.get(key)
    named = {ANNOTATION_PUBLISH_AGAIN: finished_at or found.status.finished_at}
    world.objects.annotate(found, named)
    await world.passes(key)


def assert_ended(world: World, key: Key, phase: Phase, reason: str) -> None:
    assert (world.status(key).phase, world.reason(key)) == (phase, reason)


async def test_it_ends_published_under_the_same_id() -> None:
    world = World(chain=CHAIN)
    key, before = await abandoned(world)
    world.clock.forward(60)
    await ask(world, key)
    assert world.status(key).phase is Phase.PUBLISHING
    after = world.objects.find(ModelAsset, key)
    assert after and after.spec == before.spec
    assert publication_id(after, 8996) == publication_id(before, 8996)
    await publish(world, key)
    assert_ended(world, key, Phase.SUCCEEDED, "Published")


async def test_the_receipt_names_the_asset_in_the_end() -> None:
    world = World(chain=CHAIN)
    key, _ = await abandoned(world)
    assert read_signed(await world.store.get(RECEIPT)).receipt.asset == ""
    world.clock.forward(60)
    await ask(world, key)
    assert world.status(key).receipt is None
    await publish(world, key)
    assert read_signed(await world.store.get(RECEIPT)).receipt.asset == DID
    assert world.status(key).receipt


async def test_asked_once_it_begins_once() -> None:
    world = World(chain=CHAIN)
    key, _ = await abandoned(world)
    world.clock.forward(60)
    await ask(world, key)
    world.clock.forward(60)
    await delete(world, key)
    assert_ended(world, key, Phase.FAILED, "PublicationAbandoned")
    assert world.objects.find(ModelAsset, key) is None
    await ask(world, key)
    assert world.objects.find(ModelAsset, key)


async def test_it_overrules_the_stop_that_ended_it() -> None:
    """A stop can't be taken back, so nothing else could."""
    world = World(chain=CHAIN)
    key, _ = await publishing(world)
    world.edit(key, stop=True)
    await world.passes(key)
    assert_ended(world, key, Phase.FAILED, "PublicationAbandoned")
    world.clock.forward(60)
    await ask(world, key)
    assert world.status(key).phase is Phase.PUBLISHING
    world.objects.annotate(world.get(key), {ANNOTATION_PUBLISH_AGAIN: ""})
    await world.passes(key)
    assert_ended(world, key, Phase.FAILED, "PublicationAbandoned")


async def test_a_published_asset_that_was_deleted_is_made_again() -> None:
    """Its NFT is found on chain; the object comes back."""
    world = World(chain=CHAIN)
    key, before = await publishing(world)
    await publish(world, key)
    assert_ended(world, key, Phase.SUCCEEDED, "Published")
    await ask(world, key)
    assert_ended(world, key, Phase.SUCCEEDED, "Published")
    await delete(world, key)
    world.clock.forward(60)
    await world.passes(key)
    after = world.objects.find(ModelAsset, key)
    assert after and after.spec == before.spec


@pytest.mark.parametrize("finished_at", ["true", "2026-01-01T00:00:00Z"])
async def test_another_end_than_the_last_one_is_not_taken_back(finished_at: str) -> None:
    world = World(chain=CHAIN)
    key, _ = await abandoned(world)
    await ask(world, key, finished_at)
    assert_ended(world, key, Phase.FAILED, "PublicationAbandoned")


async def test_what_has_no_model_or_no_publish_stays_as_it_ended() -> None:
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key, model=False)
    await ask(world, key)
    assert_ended(world, key, Phase.FAILED, "NothingToPublish")
    other = World(chain=CHAIN)
    plain = other.submit()
    await other.to_exporting(plain)
    await other.export(plain)
    await ask(other, plain)
    assert other.status(plain).phase is Phase.SUCCEEDED


async def test_somebody_elses_asset_of_that_name_is_never_adopted() -> None:
    world = World(chain=CHAIN)
    key, _ = await abandoned(world)
    world.objects.create(asset("bob-trains", "bob"))
    world.clock.forward(60)
    await ask(world, key)
    assert world.reason(key) == "AssetNameTaken"
