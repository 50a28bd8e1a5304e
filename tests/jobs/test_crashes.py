"""The operator dies before and after each effect; started again, it ends where it would have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.conditions import timestamp
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import Condition, Key
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role, StepState
from tests.builders import CHAIN, SETTINGS
from tests.fakes.crashing import Crash, Crashing
from tests.jobs.world import World

PUBLISH = {"name": "Bob's GPT-2", "description": "500 more steps", "reward": "200"}
ROUNDS = 40


async def live(world: World, key: Key, reconciler: JobReconciler) -> bool:
    """Passes, with a world that does its part between them; whether the process died."""
    for _ in range(ROUNDS):
        try:
            await reconciler.reconcile(key)
        except Crash:
            return True
        await the_world_goes_on(world, key)
    return False


async def the_world_goes_on(world: World, key: Key) -> None:
    """Pods that were made run and end well; the asset is published."""
    for step in await world.cluster.steps("work", "11112222-3333"):
        await advance(world, key, step)
    made = world.objects.find(ModelAsset, key)
    if made is not None and not made.status.conditions:
        ready = (Condition(type="Ready", status="True", reason="Published"),)
        status = AssetStatus(did="did:op:" + "2" * 64, conditions=ready)
        world.objects.write_status(msgspec.structs.replace(made, status=status))


async def advance(world: World, key: Key, step: StepState) -> None:
    if step.state == "Pending" and step.role is Role.RUN:
        world.cluster.progress(step.name, started_at=timestamp(world.clock.now()))
    elif step.state in ("Pending", "Running") and step.role is Role.EXPORT:
        await world.finish_export(key)
    elif step.state in ("Pending", "Running"):
        world.clock.forward(10)
        world.cluster.end(step.name, ended_at=timestamp(world.clock.now()))


def ending(world: World, key: Key) -> tuple[object, ...]:
    """What must be the same, whoever died when."""
    status = world.status(key)
    made = [(step.role, step.attempt) for step in world.cluster.made]
    assets = len(world.objects.all(ModelAsset))
    seconds, results = status.gpu_seconds, status.results
    return (status.phase, made, assets, seconds, results, len(world.cluster.anchors))


async def told(at: int, after: bool) -> tuple[bool, tuple[object, ...]]:
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    dying: Any = Crashing(world.cluster, at, after)
    mortal = JobReconciler(dying, world.store_of, world.clock, SETTINGS)
    died = await live(world, key, mortal)
    await live(world, key, world.reconciler)
    assert world.status(key).phase in FINISHED
    return died, ending(world, key)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_every_point_of_death_ends_the_same(after: bool) -> None:
    _, undisturbed = await told(at=0, after=after)
    assert undisturbed[0] is Phase.SUCCEEDED
    deaths = 0
    while (told_now := await told(deaths + 1, after))[0]:
        deaths += 1
        assert told_now[1] == undisturbed, f"death at effect {deaths}"
    assert deaths >= 15, "the walk must have met every effect of a life"


async def test_the_walk_sees_a_reconciler_that_forgets() -> None:
    """The exploration itself can fail: a world that loses a write is noticed."""
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await live(world, key, world.reconciler)
    whole = ending(world, key)
    world.cluster.made.append(world.cluster.made[0])
    assert ending(world, key) != whole
    assert world.objects.find(ComputeJob, key) is not None
