"""Making jobs: what a wallet and what a person may ask for, and that asking twice makes one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from posthuman.api.meta import Key
from posthuman.gateway.people.examples import EVALUATE, TRAIN
from tests.gateway.people.world import BOB, CAROL, PeopleWorld
from tests.gateway.world import NAMESPACE

JOBS = "/api/v1/jobs"


def with_spec(**fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = copy.deepcopy(TRAIN)
    body["spec"] |= fields
    return body


async def test_a_wallets_job_is_its_own_in_the_gateways_namespace() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        made = await ask(BOB, "POST", JOBS, json=TRAIN)
        assert made.status_code == 201
        assert made.headers["location"] == f"{JOBS}/{made.json()['id']}"
        assert (await ask(BOB, "GET", made.headers["location"])).json() == made.json()
    [job] = world.access.all_jobs.values()
    assert (job.metadata.namespace, job.spec.owner) == (NAMESPACE, BOB.address)
    assert job.metadata.name.startswith("gpt2-on-my-text-")


async def test_asked_twice_it_is_made_once() -> None:
    world = PeopleWorld()
    async with world.asking() as one, world.asking() as other:
        first = await one(BOB, "POST", JOBS, json=TRAIN)
        again = await other(BOB, "POST", JOBS, json=TRAIN)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert len(world.access.all_jobs) == 1


async def test_also_once_it_was_stopped() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        made = (await ask(BOB, "POST", JOBS, json=TRAIN)).json()
        await ask(BOB, "POST", f"{JOBS}/{made['id']}/stop")
        again = await ask(BOB, "POST", JOBS, json=TRAIN)
    assert again.status_code == 200
    assert again.json()["stopAsked"]


async def test_another_job_of_that_name_is_a_conflict() -> None:
    async with PeopleWorld().asking() as ask:
        await ask(BOB, "POST", JOBS, json=TRAIN)
        other = await ask(BOB, "POST", JOBS, json=with_spec(parameters={"steps": 501}))
    assert (other.status_code, other.json()["reason"]) == (409, "JobExists")


async def test_two_owners_share_no_names() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        for account in (BOB, CAROL):
            assert (await ask(account, "POST", JOBS, json=TRAIN)).status_code == 201
    assert len(world.access.all_jobs) == 2


async def test_long_names_stay_apart_and_valid() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        for last in "ab":
            body = TRAIN | {"name": "n" * 62 + last}
            assert (await ask(BOB, "POST", JOBS, json=body)).status_code == 201
    assert {len(key.name) for key in world.access.all_jobs} == {63}
    assert len(world.access.all_jobs) == 2


SECRET = {"name": "of-somebody", "key": "k"}
INPUT = {"name": "text", "kind": "dataset"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"owner": CAROL.address}, "OwnerNotAllowed"),
        ({"owner": 7}, "OwnerNotAllowed"),
        ({"order": {"agreementId": "0x1"}}, "OrderNotAllowed"),
        ({"inputs": [INPUT | {"uriSecretRef": SECRET}]}, "SecretNotAllowed"),
        ({"inputs": [INPUT | {"did": "d", "userDataSecretRef": SECRET}]}, "SecretNotAllowed"),
        ({"algorithm": {"raw": {"secretRef": SECRET}}}, "SecretNotAllowed"),
        ({"algorithm": {"did": "d", "userDataSecretRef": SECRET}}, "SecretNotAllowed"),
        (
            {"algorithm": {"did": "d", "container": {"image": "i", "pullSecretRef": SECRET}}},
            "SecretNotAllowed",
        ),
    ],
)
async def test_what_a_wallet_may_not_ask_for(fields: dict[str, Any], reason: str) -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        answer = await ask(BOB, "POST", JOBS, json=with_spec(**fields))
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert not world.access.all_jobs


async def test_parameters_may_be_called_anything() -> None:
    async with PeopleWorld().asking() as ask:
        body = with_spec(parameters={"secretRef": "no secret"})
        assert (await ask(BOB, "POST", JOBS, json=body)).status_code == 201


async def test_a_wallet_has_no_namespace_to_choose() -> None:
    async with PeopleWorld().asking() as ask:
        answer = await ask(BOB, "POST", JOBS, json=TRAIN | {"namespace": "bob"})
    assert answer.status_code == 403


async def test_a_person_acts_in_a_namespace_of_theirs_for_whom_it_may() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        made = await ask("tina", "POST", JOBS, json=EVALUATE)
        assert made.status_code == 201
        for who, namespace in (("uma", "bob"), ("tina", NAMESPACE), ("tina", "elsewhere")):
            refused = await ask(who, "POST", JOBS, json=EVALUATE | {"namespace": namespace})
            assert refused.status_code == 403
    assert list(world.access.all_jobs) == [Key("bob", "how-good")]


async def test_a_namespace_that_is_not_served_is_named() -> None:
    world = PeopleWorld()
    world.grant("tina", "elsewhere", ["create"])
    async with world.asking() as ask:
        answer = await ask("tina", "POST", JOBS, json=EVALUATE | {"namespace": "elsewhere"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "NamespaceNotServed")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (with_spec(paramters={}), 'unknown field "spec.paramters", did you mean "parameters"'),
        (TRAIN | {"name": "Not A Name"}, "63 small letters"),
        ({"name": "x"}, "spec"),
        (TRAIN | {"label": "x"}, "label"),
        (TRAIN | {"spec": {}}, "spec.environmentRef"),
        ([1], "object"),
    ],
)
async def test_a_mistake_is_named(body: Any, named: str) -> None:
    async with PeopleWorld().asking() as ask:
        answer = await ask(BOB, "POST", JOBS, json=body)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


async def test_brackets_end_no_process() -> None:
    async with PeopleWorld().asking() as ask:
        for content in (b"[" * 200_000, b'{"name":"x","spec":' + b'{"a":' * 200_000):
            answer = await ask(BOB, "POST", JOBS, content=content)
            assert (answer.status_code, answer.json()["reason"]) == (400, "NestedTooDeep")


async def test_a_body_has_a_limit() -> None:
    async with PeopleWorld().asking() as ask:
        answer = await ask("tina", "POST", JOBS, content=b" " * (3 * 2**20))
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]


async def test_when_kubernetes_is_away_it_is_said_so() -> None:
    world = PeopleWorld()
    async with world.asking() as ask:
        world.access.down = True
        answer = await ask("tina", "POST", JOBS, json=EVALUATE)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
