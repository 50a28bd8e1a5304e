"""What /openapi.json promises is what is answered, whatever is asked: schemathesis tries it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from posthuman.api.meta import Key
from posthuman.gateway.app import create_app
from posthuman.gateway.people.examples import EVALUATE, NEW_JOBS, TRAIN
from posthuman.gateway.settings import Limits
from tests import builders
from tests.gateway.people.world import BOB, PeopleWorld

EXAMPLES = 12  # of each route


def _application() -> Any:
    """Tina's namespace has a finished job, `bob.bob-trains`, which the documentation names."""
    world = PeopleWorld(Limits(requests_per_second=1e6, requests_at_once=10**6))
    asyncio.run(_finished(world))
    return create_app(world.gateway())


async def _finished(world: PeopleWorld) -> None:
    await world.succeed(await world.add_job(Key("bob", "bob-trains"), BOB.address))
    world.access.all_assets[Key("alice", "gpt2")] = builders.asset()


schema = schemathesis.openapi.from_asgi("/openapi.json", _application())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_5xx_and_nothing_undocumented(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(
        headers={"Authorization": "Bearer tina"},
        # a page's `continue` and the CRD's rules are no matter of schemas
        excluded_checks=[positive_data_acceptance],
    )


async def test_the_examples_are_jobs_that_are_made() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        assert [example.value for example in NEW_JOBS] == [TRAIN, EVALUATE]
        assert (await ask(BOB, "POST", "/api/v1/jobs", json=TRAIN)).status_code == 201
        assert (await ask("tina", "POST", "/api/v1/jobs", json=EVALUATE)).status_code == 201


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_the_description_needs_no_name_and_nothing_from_elsewhere(path: str) -> None:
    async with PeopleWorld().asking() as ask:
        answer = await ask("", "GET", path)
    assert answer.status_code == 200
    assert "/api/v1/jobs/{job}/results" in answer.text
    assert "<script" not in answer.text
    assert "src=" not in answer.text
