"""The operator dies before and after each effect of a job that buys; nothing private is left."""

from __future__ import annotations

from typing import Any

import pytest

from posthuman.api.job import Phase
from posthuman.api.meta import Key
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role
from tests.fakes.crashing import Crash, Crashing
from tests.fakes.provider import a_ddo
from tests.jobs.test_sources import BOUGHT, BUYS, HIDDEN, IMAGES, MODEL, SIGNED, TEXT
from tests.jobs.world import World

ROUNDS = 12
DEATHS = 24  # more effects than such a life has


def a_world() -> tuple[World, Key]:
    world = World(chain=BUYS, policy=IMAGES)
    world.provider.has_tokens = False
    world.provider.ddos = {TEXT: a_ddo(TEXT)}
    world.objects.put_secret(Key("bob", "mine"), {"url": SIGNED})
    hidden = {**HIDDEN, "name": "more"}
    return world, world.submit(inputs=[MODEL, BOUGHT, hidden])


async def live(world: World, key: Key, reconciler: JobReconciler) -> bool:
    """Whether the process died."""
    for _ in range(ROUNDS):
        try:
            await reconciler.reconcile(key)
        except Crash:
            return True
        await pods_go_on(world, key)
    return False


async def pods_go_on(world: World, key: Key) -> None:
    now = world.clock.now().isoformat()
    for step in await world.cluster.steps("work", world.get(key).metadata.uid):
        if step.state in ("Succeeded", "Failed"):
            continue
        if step.role is Role.RUN:
            assert world.cluster.privates == {}, "nothing private is left when code runs"
        if step.role is Role.EXPORT:
            await world.finish_export(key, world.status(key).outcome, "Exported")
        elif step.role is Role.RUN and step.state == "Pending":
            world.cluster.progress(step.name, started_at=now)
        else:
            world.cluster.end(step.name, ended_at=now)


@pytest.mark.parametrize("after", [False, True])
async def test_nothing_private_outlives_its_step_whoever_dies_when(after: bool) -> None:
    deaths = 0
    for at in range(1, DEATHS + 1):
        world, key = a_world()
        dying: Any = Crashing(world.cluster, at, after)
        deaths += await live(world, key, world.with_ports(dying, dying.beside(world.store)))
        await live(world, key, world.reconciler)
        assert world.status(key).phase is Phase.SUCCEEDED, (at, world.reason(key))
        assert (world.cluster.privates, world.cluster.turns) == ({}, {}), at
        assert len(world.cluster.made_of(Role.STAGE)) == 1
    assert deaths > 12
