"""One owner who is asked for too often waits, and nobody else does; nothing is used up by it."""

from __future__ import annotations

from posthuman.gateway.settings import GatewaySettings, Limits
from tests.builders import ALICE
from tests.gateway.test_shapes import COMPUTE
from tests.gateway.world import NAMESPACE, World

SLOW = Limits(requests_per_second=0.01, requests_at_once=2)


def slow_world() -> World:
    return World(GatewaySettings(namespace=NAMESPACE, limits=SLOW))


async def test_an_owner_waits_as_long_as_the_answer_says() -> None:
    world = slow_world()
    async with world.client() as client:
        asked = [await client.get(COMPUTE, params=world.provider.query()) for _ in range(3)]
        other = await client.get(COMPUTE, params=world.provider.query(owner=ALICE))
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    assert "too often" in asked[-1].json()["error"]
    assert int(asked[-1].headers["Retry-After"]) > 1
    assert other.status_code == 200


async def test_a_purchase_that_had_to_wait_is_made_by_the_same_request_later() -> None:
    world = slow_world()
    async with world.client() as client:
        for _ in range(2):
            await client.get(COMPUTE, params=world.provider.query())
        body = world.provider.start()
        assert (await client.post(COMPUTE, json=body)).status_code == 429
    assert not world.access.all_jobs
    async with world.client() as client:  # a replica that has room for it
        assert (await client.post(COMPUTE, json=body)).status_code == 200
