"""Each finished job gets a receipt, once; a store or a key that can't be had never fails it."""

from __future__ import annotations

from jobkit.manifest import digest_of
from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Condition, Key
from posthuman.receipts.signed import read_signed
from tests.builders import CHAIN
from tests.jobs.world import World

RECEIPT = "jobs/11112222-3333/receipt.json"


def signed(world: World, key: Key) -> Condition:
    found = find_condition(world.status(key).conditions, "Signed")
    assert found
    return found


async def test_the_status_names_the_file_beside_the_manifest() -> None:
    world = World(chain=CHAIN)
    key = world.submit()
    await world.to_exporting(key)
    await world.export(key)
    raw, record = world.store.objects[RECEIPT], world.status(key).receipt
    assert record
    said = read_signed(raw)
    assert (record.digest, record.signer) == (digest_of(raw), said.signer)
    assert said.receipt.times.finished_at == world.status(key).finished_at
    assert not world.get(key).metadata.finalizers
    del world.store.objects[RECEIPT]
    await world.passes(key)
    assert RECEIPT not in world.store.objects, "what is on record is not done again"


async def test_an_environment_without_a_chain_says_so_quietly() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    await world.export(key)
    assert world.status(key).phase is Phase.SUCCEEDED
    assert (signed(world, key).reason, world.status(key).receipt) == ("NoChain", None)
    assert RECEIPT not in world.store.objects
    assert "NoChain" not in [event.reason for event in world.cluster.events]


async def test_a_missing_key_holds_up_nothing_but_the_receipt() -> None:
    world = World(chain=CHAIN)
    key = world.submit(ttlSecondsAfterFinished=10)
    world.key_missing = True
    await world.to_exporting(key)
    await world.export(key)
    assert (world.status(key).phase, signed(world, key).reason) == (
        Phase.SUCCEEDED,
        "SecretNotFound",
    )
    assert not world.cluster.anchors
    world.clock.forward(60)
    assert await world.passes(key), "it is looked at again"
    assert not world.get(key).metadata.deletion_timestamp, "a job without its receipt stays"
    world.key_missing = False
    await world.passes(key)
    assert RECEIPT in world.store.objects
    assert world.objects.find(ComputeJob, key) is None, "its time to live was over"


async def test_another_manifest_in_the_store_is_never_signed() -> None:
    world = World(chain=CHAIN)
    key = world.submit()
    world.key_missing = True
    await world.to_exporting(key)
    await world.export(key)
    raw = world.store.objects["jobs/11112222-3333/manifest.json"]
    world.store.objects["jobs/11112222-3333/manifest.json"] = raw.replace(b"gpt2", b"gpt3")
    world.key_missing = False
    await world.passes(key)
    assert signed(world, key).reason == "ManifestMismatch"
    assert RECEIPT not in world.store.objects
