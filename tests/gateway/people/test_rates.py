"""How often one may ask, each by themselves."""

from __future__ import annotations

import pytest

from posthuman.gateway.people.remembered import Remembered
from posthuman.gateway.rates import Buckets
from posthuman.gateway.settings import Limits
from tests.gateway.people.world import BOB, CAROL, PeopleWorld

JOBS = "/api/v1/jobs"


class Seconds:
    """A clock that is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_rate() -> None:
    clock = Seconds()
    buckets = Buckets(per_second=2.0, burst=3, monotonic=clock)
    assert [buckets.take("bob") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("carol") == 0.0
    clock.now += 0.5
    assert buckets.take("bob") == 0.0
    assert buckets.take("bob") == 0.5
    clock.now += 1000
    assert [buckets.take("bob") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_refused_requests_cost_nothing() -> None:
    clock = Seconds()
    buckets = Buckets(per_second=1.0, burst=1, monotonic=clock)
    buckets.take("bob")
    for _ in range(100):
        assert buckets.take("bob") > 0
    clock.now += 1.0
    assert buckets.take("bob") == 0.0


async def test_one_owner_is_held_back_and_no_other() -> None:
    async with PeopleWorld(Limits(requests_per_second=0.01, requests_at_once=2)).asking() as ask:
        assert [(await ask(BOB, "GET", JOBS)).status_code for _ in range(3)] == [200, 200, 429]
        refused = await ask(BOB, "GET", JOBS)
        assert 0 < int(refused.headers["retry-after"]) <= 100
        assert refused.json()["reason"] == "TooManyRequests"
        assert (await ask(CAROL, "GET", JOBS)).status_code == 200
        assert (await ask("tina", "GET", JOBS)).status_code == 200


async def test_guessing_is_held_back() -> None:
    async with PeopleWorld().asking() as ask:
        answers = [(await ask("forged", "GET", JOBS)).status_code for _ in range(150)]
    assert answers[0] == 401
    assert answers[-1] == 429


async def test_a_thousand_polls_are_few_questions() -> None:
    world = PeopleWorld(Limits(requests_per_second=1e6, requests_at_once=10**6))
    asked = []
    review = world.access.review_token

    async def counted(token: str):  # type: ignore[no-untyped-def]
        asked.append(token)
        return await review(token)

    world.access.review_token = counted  # type: ignore[method-assign]
    async with world.asking() as ask:
        for _ in range(50):
            assert (await ask("tina", "GET", JOBS)).status_code == 200
    assert asked == ["tina"]


async def test_answers_are_forgotten_in_time_and_failures_at_once() -> None:
    clock = Seconds()
    remembered: Remembered[str, int] = Remembered(10.0, monotonic=clock)
    said: list[int] = []

    async def ask() -> int:
        if clock.now == 111.0:
            raise ValueError("away")
        said.append(len(said))
        return said[-1]

    assert [await remembered.of("x", ask), await remembered.of("x", ask)] == [0, 0]
    clock.now = 111.0
    with pytest.raises(ValueError, match="away"):
        await remembered.of("x", ask)
    clock.now = 112.0
    assert await remembered.of("x", ask) == 1
