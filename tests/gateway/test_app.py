"""What holds for every route: errors as answers, limits, logs, readiness."""

from __future__ import annotations

import json
import logging

import pytest

from posthuman.gateway.json_log import JsonLines
from tests.gateway.world import World


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
    line = JsonLines().format(caplog.records[-1])
    request = json.loads(line)["request"]
    assert request["arguments"] == {"owner": "0xabc", "jobId": "j"}
    assert request["status"] == 200
    assert request["complete"]
    assert "0xSIG" not in line
