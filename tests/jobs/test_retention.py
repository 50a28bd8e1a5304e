"""Results go when the environment says so, and never what an asset's buyers rely on."""

from __future__ import annotations

import msgspec
import pytest

from posthuman.api.asset import Source
from posthuman.api.conditions import is_true
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.jobs.retention import points_into
from tests.builders import asset
from tests.fakes.crashing import Crash, Crashing
from tests.jobs.world import World

UID = "11112222-3333"
HOUR = 3600.0


async def finished(**limits: str) -> tuple[World, Key]:
    """A job that ended now, with results in the store."""
    world = World(limits=limits)
    key = world.submit(ttlSecondsAfterFinished=60)
    await world.to_exporting(key)
    await world.export(key)
    assert world.status(key).phase is Phase.SUCCEEDED
    return world, key


def kept(world: World) -> bool:
    return any(key.startswith(f"jobs/{UID}/") for key in world.store.objects)


async def test_results_go_that_long_after_the_end() -> None:
    world, key = await finished(resultRetention="1h")
    await world.store.put("jobs/another/manifest.json", b"another's")
    world.clock.forward(HOUR - 1)
    again = await world.passes(key)
    assert kept(world)
    assert again is not None and again <= 1
    world.clock.forward(2)
    await world.passes(key)
    assert not kept(world)
    assert "jobs/another/manifest.json" in world.store.objects


async def test_a_job_outlives_its_results_so_that_somebody_deletes_them() -> None:
    """Its time to live (60 s) waits for them."""
    world, key = await finished(resultRetention="1h")
    world.clock.forward(120)
    await world.passes(key)
    assert world.objects.find(ComputeJob, key) is not None
    world.clock.forward(HOUR)
    await world.passes(key)
    assert world.objects.find(ComputeJob, key) is None


async def test_without_a_retention_results_stay() -> None:
    world, key = await finished()
    world.clock.forward(1000 * HOUR)
    await world.passes(key)
    assert kept(world)


@pytest.mark.parametrize("prefix", [f"jobs/{UID}", f"jobs/{UID}/model"])
async def test_what_an_asset_points_to_stays(prefix: str) -> None:
    world, key = await finished(resultRetention="1h")
    source = Source(prefix=prefix, manifest_digest="sha256:" + "c" * 64)
    found = asset("bob-gpt2", "bob")
    world.objects.create(
        msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, source=source))
    )
    world.clock.forward(2 * HOUR)
    await world.passes(key)
    assert kept(world)


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_while_results_are_deleted_heals(after: bool) -> None:
    world, key = await finished(resultRetention="1h")
    world.clock.forward(HOUR + 1)
    dying = world.with_ports(world.cluster, Crashing(world.store, 1, after))
    with pytest.raises(Crash):
        await dying.reconcile(key)
    assert not is_true(world.status(key).conditions, "Expired")
    await world.passes(key)
    assert not kept(world)
    assert world.objects.find(ComputeJob, key) is None


def test_a_namesakes_prefix_is_another_one() -> None:
    found = asset()
    for prefix, inside in (("jobs/u1", True), ("jobs/u1/", True), ("jobs/u10", False)):
        source = Source(prefix=prefix, manifest_digest="sha256:x")
        moved = msgspec.structs.replace(
            found, spec=msgspec.structs.replace(found.spec, source=source)
        )
        assert points_into(moved, "jobs/u1") is inside
