"""The operator dies before and after each effect; started again, it ends where it would have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.manifest import digest_of
from jobkit.report import Report
from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.conditions import timestamp
from posthuman.api.job import Phase
from posthuman.api.meta import Condition, Key
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role, StepState
from tests.builders import CHAIN
from tests.fakes.crashing import Crash, Crashing
from tests.jobs.world import World

PUBLISH = {"name": "Bob's GPT-2", "description": "500 more steps", "reward": "200"}
RECEIPT = "jobs/11112222-3333/receipt.json"
ROUNDS = 40
WRONG = Report(reason="ChecksumMismatch", message="…", user_error=True)


class Fate(msgspec.Struct, frozen=True):
    """What the world does to a job, whoever watches it."""

    spec: dict[str, Any]
    ends: Phase
    evict_first: bool = False
    overrun: bool = False
    wrong_input: bool = False
    stop: bool = False
    least_deaths: int = 8


FATES = {
    "published": Fate({"publish": PUBLISH}, Phase.SUCCEEDED, least_deaths=15),
    "evicted, tried again": Fate({"retries": 1}, Phase.SUCCEEDED, evict_first=True),
    "past its timeout": Fate({"timeout": "60s", "retries": 1}, Phase.FAILED, overrun=True),
    "wrong input": Fate({"retries": 1}, Phase.FAILED, wrong_input=True),
    "stopped": Fate({}, Phase.STOPPED, stop=True),
}


async def live(world: World, key: Key, reconciler: JobReconciler, fate: Fate) -> bool:
    """Passes, with a world that does its part between them; whether the process died."""
    for _ in range(ROUNDS):
        try:
            await reconciler.reconcile(key)
        except Crash:
            return True
        await the_world_goes_on(world, key, fate)
    return False


async def the_world_goes_on(world: World, key: Key, fate: Fate) -> None:
    """Pods that were made run and end; the asset is published; a person stops the job."""
    if fate.stop and world.status(key).phase is Phase.RUNNING and not world.get(key).spec.stop:
        world.edit(key, stop=True)
        return
    for step in await world.cluster.steps("work", "11112222-3333"):
        await advance(world, key, step, fate)
    made = world.objects.find(ModelAsset, key)
    if made is not None and not made.status.conditions:
        ready = (Condition(type="Ready", status="True", reason="Published"),)
        status = AssetStatus(did="did:op:" + "2" * 64, conditions=ready)
        world.objects.write_status(msgspec.structs.replace(made, status=status))


async def advance(world: World, key: Key, step: StepState, fate: Fate) -> None:
    """One turn of one step."""
    now = timestamp(world.clock.now())
    if step.state in ("Succeeded", "Failed"):
        return
    if step.role is Role.EXPORT:
        await world.finish_export(key, world.status(key).outcome, "Exported")
    elif step.role is Role.RUN and step.state == "Pending":
        world.cluster.progress(step.name, started_at=now)
    elif step.role is Role.STAGE and fate.wrong_input:
        world.cluster.end(step.name, "Failed", WRONG, exit_code=2)
    elif step.role is Role.RUN and fate.evict_first and step.attempt == 1:
        world.cluster.end(step.name, "Failed", exit_code=1, reason="Evicted", ended_at=now)
    elif step.role is Role.RUN and (fate.overrun or fate.stop):
        world.clock.forward(100 if fate.overrun else 0)
    else:
        world.cluster.end(step.name, ended_at=now)


def ending(world: World, key: Key) -> tuple[object, ...]:
    """What must be the same, whoever died when."""
    status = world.status(key)
    made = [(step.role, step.attempt) for step in world.cluster.made]
    attempts = [(attempt.number, attempt.reason) for attempt in status.attempts]
    assets = len(world.objects.all(ModelAsset))
    anchors = len(world.cluster.anchors)
    kept = {name: digest_of(raw) for name, raw in world.store.objects.items()}
    if status.receipt:
        assert kept.get(RECEIPT) == status.receipt.digest
    if any(attempt.reason == "DeadlineExceeded" for attempt in status.attempts):
        kept = dict.fromkeys(kept, "")  # its times are the world's
    return (status.phase, world.reason(key), made, attempts, assets, anchors, status.results, kept)


async def told(fate: Fate, at: int, after: bool) -> tuple[bool, tuple[object, ...]]:
    """A whole life with a death in it: whether it came to that, and how it ended."""
    world = World(chain=CHAIN)
    key = world.submit(**fate.spec)
    dying: Any = Crashing(world.cluster, at, after)
    store: Any = dying.beside(world.store)
    mortal = world.with_ports(dying, store)
    died = await live(world, key, mortal, fate)
    await live(world, key, world.reconciler, fate)
    assert world.status(key).phase is fate.ends
    assert bool(world.status(key).receipt) is bool(world.status(key).results)
    return died, ending(world, key)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fate", FATES.values(), ids=FATES.keys())
async def test_every_point_of_death_ends_the_same(fate: Fate, after: bool) -> None:
    _, undisturbed = await told(fate, at=0, after=after)
    deaths = 0
    while (told_now := await told(fate, deaths + 1, after))[0]:
        deaths += 1
        assert told_now[1] == undisturbed, f"death at effect {deaths}"
    assert deaths >= fate.least_deaths, "the walk must have met every effect of a life"


async def test_the_walk_would_see_a_step_made_twice() -> None:
    """The exploration itself can fail."""
    fate = FATES["published"]
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await live(world, key, world.reconciler, fate)
    whole = ending(world, key)
    world.cluster.made.append(world.cluster.made[0])
    assert ending(world, key) != whole
