"""What holds for every route: errors as answers, limits, logs, readiness."""

from __future__ import annotations

import json
import logging

import pytest

from posthuman.gateway.json_log import JsonLines
from tests.gateway.world import World


def logged_line(caplog: pytest.LogCaptureFixture) -> str:
    """The last of the access log, whatever others log beside it."""
    ours = [record for record in caplog.records if record.name == "posthuman.gateway.access"]
    return JsonLines().format(ours[-1])


async def test_unknown_routes_are_told_in_the_form_of_their_side() -> None:
    async with World().client() as client:
        ocean = await client.get("/api/v1/operator/nothing")
        other = await client.get("/api/v1/nothing")
    assert ocean.status_code == other.status_code == 404
    assert set(ocean.json()) == {"error"}
    assert other.headers["content-type"] == "application/problem+json"
    assert other.json()["status"] == 404


async def test_readiness_follows_kubernetes() -> None:
    world = World()
    async with world.client() as client:
        assert (await client.get("/readyz")).status_code == 200
        world.access.down = True
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200


async def test_the_access_log_holds_nothing_that_could_be_used_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "posthuman.gateway.access")
    query = {"owner": "0xabc", "jobId": "j", "providerSignature": "0xSIG", "nonce": "17", "x": "y"}
    async with World().client() as client:
        await client.get("/", params=query)
    line = logged_line(caplog)
    request = json.loads(line)["request"]
    assert request["arguments"] == {"owner": "0xabc", "jobId": "j"}
    assert request["status"] == 200
    assert request["complete"]
    assert "0xSIG" not in line


async def test_readiness_follows_the_store() -> None:
    """Of several environments one may be in trouble; with none left there is nothing to serve."""
    world = World()
    world.allow("elsewhere")
    async with world.client() as client:
        assert (await client.get("/readyz")).status_code == 200
        world.files_of.stores["elsewhere"].down = True
        assert (await client.get("/readyz")).status_code == 200
        world.files_of.stores["ocean-compute"].down = True
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "ocean-compute" in answer.text


async def test_a_body_beyond_the_limit_is_refused() -> None:
    world = World()
    async with world.client() as client:
        for route in ("/api/v1/operator/compute", "/api/v1/jobs"):
            answer = await client.post(route, content=b"[" + b" " * 3_000_000 + b"]")
            assert answer.status_code == 413


async def test_text_that_is_no_unicode_is_refused() -> None:
    world = World()
    body = json.dumps(world.provider.start(agreementId="\ud800"))
    async with world.client() as client:
        answer = await client.post("/api/v1/operator/compute", content=body)
    assert answer.status_code == 400


async def test_metrics_tell_routes_and_not_paths() -> None:
    async with World().client() as client:
        await client.get("/api/v1/operator/runningjobs")
        page = (await client.get("/metrics")).text
    assert 'route="/api/v1/operator/runningjobs",status="200"' in page


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("/api/v1/operator/compute", 400),
        ("/api/v1/operator/nothing", 404),
        ("/nothing", 404),
    ],
)
async def test_refusals_are_logged_with_their_status(
    caplog: pytest.LogCaptureFixture, route: str, status: int
) -> None:
    caplog.set_level(logging.INFO, "posthuman.gateway.access")
    async with World().client() as client:
        assert (await client.get(route)).status_code == status
    request = json.loads(logged_line(caplog))["request"]
    assert (request["path"], request["status"]) == (route, status)
