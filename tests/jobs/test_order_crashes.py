"""Two jobs want one order, and the operator dies before and after each effect: they never use it at
the same time, and all that they used is charged once."""

from __future__ import annotations

from typing import Any

import pytest

from posthuman.api.conditions import is_true, timestamp
from posthuman.api.job import FINISHED, Phase
from posthuman.api.meta import Key
from posthuman.errors import Conflict
from posthuman.jobs.reconcile import JobReconciler
from posthuman.jobs.steps import Role
from tests.fakes.crashing import Crash, Crashing
from tests.jobs.shop import FIRST, SECOND, TX, Shop

ROUNDS = 25
RUN_SECONDS = 50.0


async def live(shop: Shop, keys: dict[str, Key], reconciler: JobReconciler) -> bool:
    """Both jobs by turns, and what their pods do; whether the process died."""
    for _ in range(ROUNDS):
        for uid, key in keys.items():
            try:
                await reconciler.reconcile(key)
            except Conflict:
                pass  # it looks again in the next round
            except Crash:
                return True
            assert sum(using(shop, key) for key in keys.values()) <= 1
            await pods_go_on(shop, uid, key)
    return False


def using(shop: Shop, key: Key) -> bool:
    """Whether it has been let in, and isn't over."""
    status = shop.status(key)
    return is_true(status.conditions, "Accepted") and status.phase not in FINISHED


async def pods_go_on(shop: Shop, uid: str, key: Key) -> None:
    for step in await shop.cluster.steps("work", uid):
        if step.state in ("Succeeded", "Failed"):
            continue
        if step.role is Role.RUN and step.state == "Pending":
            shop.cluster.progress(step.name, started_at=timestamp(shop.clock.now()))
        elif step.role is Role.RUN:
            shop.clock.forward(RUN_SECONDS)
            shop.cluster.end(step.name, ended_at=timestamp(shop.clock.now()))
        elif step.role is Role.EXPORT:
            await shop.finish_export(key)
        else:
            shop.cluster.end(step.name)


async def told(at: int, after: bool) -> bool:
    """Both lives with a death in them: whether it came to that."""
    shop = Shop()
    keys = {FIRST: shop.submit_on(), SECOND: shop.submit_on(TX, "bob-again", SECOND)}
    dying: Any = Crashing(shop.cluster, at, after)
    died = await live(shop, keys, shop.with_ports(dying, dying.beside(shop.store)))
    await live(shop, keys, shop.reconciler)
    assert [shop.status(key).phase for key in keys.values()] == [Phase.SUCCEEDED] * 2
    claim = shop.claim()
    assert (claim.holder_uid, claim.used_seconds) == ("", {TX: 2 * RUN_SECONDS})
    assert sorted(shop.record(key).paid_seconds or 0 for key in keys.values()) == [3550, 3600]
    return died


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_every_point_of_death_of_two_jobs_on_one_order(after: bool) -> None:
    deaths = 0
    while await told(deaths + 1, after):
        deaths += 1
    assert deaths >= 30, "the walk must have met every effect of both lives"
