"""Who asks for what: a table of every caller, every route and every owner's job."""

from __future__ import annotations

import pytest

from posthuman.api.meta import Key
from tests.gateway.people.world import BOB, CAROL, FILES, PeopleWorld
from tests.gateway.world import NAMESPACE

BOBS, CAROLS = f"{NAMESPACE}.bobs", f"{NAMESPACE}.carols"
TENANTS, ELSEWHERE = "bob.tenants", "kube-system.theirs"

CALLERS = {"nobody": "", "bob": BOB, "carol": CAROL, "tina": "tina", "uma": "uma", "forged": "x"}
ANSWERS = {  # of a GET below /api/v1/jobs/<id>
    "nobody": {BOBS: 401, CAROLS: 401, TENANTS: 401, ELSEWHERE: 401},
    "forged": {BOBS: 401, CAROLS: 401, TENANTS: 401, ELSEWHERE: 401},
    "bob": {BOBS: 200, CAROLS: 404, TENANTS: 404, ELSEWHERE: 404},
    "carol": {BOBS: 404, CAROLS: 200, TENANTS: 404, ELSEWHERE: 404},
    "tina": {BOBS: 403, CAROLS: 403, TENANTS: 200, ELSEWHERE: 403},
    "uma": {BOBS: 403, CAROLS: 403, TENANTS: 403, ELSEWHERE: 403},
}
READS = ("", "/results", "/results/metrics.json", "/manifest", "/receipt", "/logs")


@pytest.fixture
async def world() -> PeopleWorld:
    """The tenant's job names Bob as its owner, whom its namespace may act for; that is no proof."""
    world = PeopleWorld()
    for job_id, owner in (
        (BOBS, BOB.address),
        (CAROLS, CAROL.address),
        (TENANTS, BOB.address),
        (ELSEWHERE, BOB.address),
    ):
        namespace, name = job_id.split(".")
        await world.succeed(await world.add_job(Key(namespace, name), owner))
    return world


@pytest.mark.parametrize("who", CALLERS)
async def test_every_read_of_every_job(world: PeopleWorld, who: str) -> None:
    async with world.asking() as ask:
        for job_id, expected in ANSWERS[who].items():
            for route in READS:
                answer = await ask(CALLERS[who], "GET", f"/api/v1/jobs/{job_id}{route}")
                assert answer.status_code == expected, (job_id, route, answer.text)
                if expected != 200:
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert answer.json()["detail"]


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(("method", "route"), [("POST", "/stop"), ("DELETE", "")])
async def test_every_change_of_every_job(
    world: PeopleWorld, who: str, method: str, route: str
) -> None:
    async with world.asking() as ask:
        for job_id, expected in ANSWERS[who].items():
            answer = await ask(CALLERS[who], method, f"/api/v1/jobs/{job_id}{route}")
            assert answer.status_code in (expected, 204 if expected == 200 else expected)
    gone = {str(key) for key in world.access.all_jobs}
    assert len(gone) == 4 - (method == "DELETE" and who in ("bob", "carol", "tina"))


@pytest.mark.parametrize(
    ("who", "seen"),
    [("bob", [BOBS]), ("carol", [CAROLS]), ("tina", [TENANTS]), ("uma", [])],
)
async def test_lists_have_ones_own_alone(world: PeopleWorld, who: str, seen: list[str]) -> None:
    async with world.asking() as ask:
        answer = await ask(CALLERS[who], "GET", "/api/v1/jobs")
        assert [job["id"] for job in answer.json()["items"]] == seen
        named = await ask(CALLERS[who], "GET", f"/api/v1/jobs?owner={CAROL.address}")
        assert [job["id"] for job in named.json()["items"]] == [CAROLS] * (who == "carol")


async def test_a_namespace_that_may_not_be_listed_is_refused(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        for who, namespace in (("tina", NAMESPACE), ("uma", "bob"), (BOB, "bob")):
            answer = await ask(who, "GET", f"/api/v1/jobs?namespace={namespace}")
            assert answer.status_code == 403


async def test_a_verb_that_a_person_lacks(world: PeopleWorld) -> None:
    world.grant("uma", "bob", ["get"])
    async with world.asking() as ask:
        assert (await ask("uma", "GET", f"/api/v1/jobs/{TENANTS}")).status_code == 200
        for method, route in (("POST", "/stop"), ("DELETE", "")):
            answer = await ask("uma", method, f"/api/v1/jobs/{TENANTS}{route}")
            assert answer.status_code == 403
        assert (await ask("uma", "GET", "/api/v1/jobs")).json()["items"] == []


async def test_custody_files_have_no_path(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        listed = (await ask(BOB, "GET", f"/api/v1/jobs/{BOBS}/results")).json()["items"]
        assert {file["path"] for file in listed} == {
            path for path in FILES if not path.startswith("model/")
        }
        for path in (
            "model/model.safetensors",
            "manifest.json",
            "../x",
            "logs/../model/model.safetensors",
            "%2e%2e/metrics.json",
        ):
            answer = await ask(BOB, "GET", f"/api/v1/jobs/{BOBS}/results/{path}")
            assert answer.status_code == 404, path
            assert b"custody bytes" not in answer.content


async def test_no_answer_tells_where_the_store_is(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        for route in ("", "/results"):
            answer = await ask(BOB, "GET", f"/api/v1/jobs/{BOBS}{route}")
            assert "s3://" not in answer.text
        everything = await ask("", "GET", "/api/v1/environments")
        assert "s3://" not in everything.text
        assert "workNamespace" not in everything.text
