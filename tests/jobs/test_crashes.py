"""The operator dies before and after each effect; started again, it ends where it would have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.manifest import digest_of
from jobkit.report import Report
from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.conditions import timestamp
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Condition, Key
from posthuman.environments.purchase import order_id_of
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role, StepState
from posthuman.ports import OrderClaim
from tests.builders import CHAIN
from tests.fakes.crashing import Crash, Crashing
from tests.jobs.shop import TOKEN, TX, Shop, inputs
from tests.jobs.world import World

PUBLISH = {"name": "Bob's GPT-2", "description": "500 more steps", "reward": "200"}
RECEIPT = "jobs/11112222-3333/receipt.json"
ROUNDS = 40
ORDERED = {"inputs": inputs()}
WRONG = Report(reason="ChecksumMismatch", message="…", user_error=True)


class Fate(msgspec.Struct, frozen=True):
    """What the world does to a job, whoever watches it."""

    spec: dict[str, Any]
    ends: Phase | None  # None: the job is gone
    evict_first: bool = False
    overrun: bool = False
    wrong_input: bool = False
    stop: bool = False
    deleted: bool = False
    ordered: bool = False
    least_deaths: int = 8


FATES = {
    "published": Fate({"publish": PUBLISH}, Phase.SUCCEEDED, least_deaths=15),
    "evicted, tried again": Fate({"retries": 1}, Phase.SUCCEEDED, evict_first=True),
    "past its timeout": Fate({"timeout": "60s", "retries": 1}, Phase.FAILED, overrun=True),
    "wrong input": Fate({"retries": 1}, Phase.FAILED, wrong_input=True),
    "stopped": Fate({}, Phase.STOPPED, stop=True),
    "on an order": Fate(ORDERED, Phase.SUCCEEDED, ordered=True, least_deaths=12),
    "past its paid time": Fate(ORDERED, Phase.FAILED, overrun=True, ordered=True, least_deaths=12),
    "stopped, on an order": Fate(ORDERED, Phase.STOPPED, stop=True, ordered=True, least_deaths=12),
    "deleted, on an order": Fate(ORDERED, None, deleted=True, ordered=True),
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
    if world.objects.find(ComputeJob, key) is None:
        return
    if fate.deleted and world.status(key).phase is Phase.RUNNING:
        if not world.get(key).metadata.deletion_timestamp:
            world.clock.forward(30)
        world.objects.delete(ComputeJob, key)
        return
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
    elif step.role is Role.RUN and (fate.overrun or fate.stop or fate.deleted):
        world.clock.forward(2000 if fate.overrun else 0)
    elif step.role is Role.RUN and fate.ordered:
        world.clock.forward(50)
        world.cluster.end(step.name, ended_at=timestamp(world.clock.now()))
    else:
        world.cluster.end(step.name, ended_at=now)


def ending(world: World, key: Key) -> tuple[object, ...]:
    """What must be the same, whoever died when."""
    if world.objects.find(ComputeJob, key) is None:
        claim = claim_of(world)
        return (len(world.cluster.anchors), claim.holder_uid, claim.used_seconds)
    status = world.status(key)
    made = [(step.role, step.attempt) for step in world.cluster.made]
    attempts = [(attempt.number, attempt.reason) for attempt in status.attempts]
    assets = len(world.objects.all(ModelAsset))
    anchors = len(world.cluster.anchors)
    kept = {name: digest_of(raw) for name, raw in world.store.objects.items()}
    if status.receipt:
        assert kept.get(RECEIPT) == status.receipt.digest
    overran = {"DeadlineExceeded", "PaidTimeOver"}
    if any(attempt.reason in overran for attempt in status.attempts):
        kept = dict.fromkeys(kept, "")  # its times are the world's
    ended = (status.phase, world.reason(key), status.results)
    claim = claim_of(world)
    assert sum(claim.used_seconds.values()) == (status.gpu_seconds if claim.version else 0)
    return (*ended, made, attempts, assets, anchors, kept, claim.holder_uid)


def claim_of(world: World) -> OrderClaim:
    """Of the one order there is."""
    return world.objects.order_claim(order_id_of(TOKEN, TX))


async def told(fate: Fate, at: int, after: bool) -> tuple[bool, tuple[object, ...]]:
    """A whole life with a death in it: whether it came to that, and how it ended."""
    world = Shop() if fate.ordered else World(chain=CHAIN)
    key = world.submit(**fate.spec)
    dying: Any = Crashing(world.cluster, at, after)
    store: Any = dying.beside(world.store)
    mortal = world.with_ports(dying, store)
    died = await live(world, key, mortal, fate)
    await live(world, key, world.reconciler, fate)
    assert not claim_of(world).holder_uid, "its order is free again"
    if fate.ends is None:
        assert world.objects.find(ComputeJob, key) is None
        assert claim_of(world).used_seconds == {TX: 30.0}
        return died, ending(world, key)
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
