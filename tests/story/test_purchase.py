"""Somebody buys a training through Ocean's provider: real gateways, pods and order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest

from examples.purchase.lab import address_of
from examples.purchase.provider import Provider, Refused
from posthuman.cli.story.prepare import Data
from posthuman.ledger.account import DEV_KEYS
from tests.services.world import World
from tests.story import bought
from tests.story.installation import BOUGHT_NAMESPACE
from tests.story.recorder import Body

pytestmark = [pytest.mark.cluster, pytest.mark.chain, pytest.mark.models]

BUYER = address_of(bought.BUYER_KEY)
PATIENCE_SECONDS = 300.0


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """An order, what was asked for with it, and what two replicas answered at once."""

    asset: Body
    tx_id: str
    request: dict[str, Any]
    answers: list[dict[str, Any]]


@pytest.fixture(scope="module")
def purchase(world: World, tiny: Data) -> Iterator[Purchase]:
    """Made once; the job goes on while the tests look at it."""
    bought.open_market(world)
    asset = bought.publish(world, tiny)
    text = bought.upload(world, bought.BUYER_KEY, tiny.bob_text, "verses", "dataset")
    tx_id = bought.order(world, asset)
    request, answers = asyncio.run(sent_twice(tx_id, bought.stage(asset, tx_id, text)))
    yield Purchase(asset=asset, tx_id=tx_id, request=request, answers=answers)


async def sent_twice(
    tx_id: str, stage: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """As a provider that tries again while its first try is under way."""
    async with bought.provider() as provider:
        request = bought.request_of(provider, tx_id, stage)
        answers = await asyncio.gather(provider.send(request), provider.send(request))
        return request, list(answers)


@pytest.fixture(scope="module")
def ended(purchase: Purchase) -> dict[str, Any]:
    """The job's last status, a gateway killed on the way."""
    job_id = purchase.answers[0]["jobId"]
    bought.restart_one_gateway()
    return asyncio.run(followed(job_id))


async def followed(job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS), bought.provider() as provider:
        while True:
            job = await status_of(provider, job_id)
            if job and job["status"] > 60:
                return job
            await asyncio.sleep(1)


async def status_of(provider: Provider, job_id: str) -> dict[str, Any]:
    """Empty where the replica that was asked is the one that died."""
    try:
        return await provider.status(BUYER, job_id)
    except aiohttp.ClientConnectionError:
        return {}


def test_two_replicas_make_one_job(world: World, purchase: Purchase) -> None:
    first, second = purchase.answers
    assert first["jobId"] == second["jobId"]
    assert [job["metadata"]["name"] for job in bought.jobs(world)] == [first["jobId"]]


def test_a_second_job_on_the_same_order_is_refused(purchase: Purchase) -> None:
    async def again() -> None:
        async with bought.provider() as provider:
            stage = purchase.request["workflow"]["stages"][0]
            await provider.send(bought.request_of(provider, purchase.tx_id, stage))

    with pytest.raises(Refused, match="already in use for other job"):
        asyncio.run(again())


def test_a_provider_that_is_not_allowed_is_refused(purchase: Purchase) -> None:
    async def asked() -> None:
        async with bought.provider(DEV_KEYS[3]) as stranger:
            await stranger.status(BUYER, purchase.answers[0]["jobId"])

    with pytest.raises(Refused):
        asyncio.run(asked())


def test_it_ends_well_though_a_gateway_died(ended: dict[str, Any]) -> None:
    assert (ended["status"], ended["statusText"]) == (70, "Job finished"), ended["message"]


def test_the_results_are_downloaded_and_hold_no_weights(ended: dict[str, Any]) -> None:
    async def downloaded() -> dict[str, bytes]:
        async with bought.provider() as provider:
            return {
                found["filename"]: await provider.result(BUYER, ended["jobId"], found["index"])
                for found in ended["results"]
            }

    files = asyncio.run(downloaded())
    assert {"report.json", "loss.csv"} <= files.keys()
    assert {name: len(content) for name, content in files.items()} == {
        found["filename"]: found["filesize"] for found in ended["results"]
    }
    assert not [name for name in files if "safetensors" in name]


def test_the_order_is_on_the_job_s_record(
    world: World, purchase: Purchase, ended: dict[str, Any]
) -> None:
    job = world.recorder.finished_job(BOUGHT_NAMESPACE, ended["jobId"])
    (order,) = job["status"]["orders"]
    assert order["txId"] == purchase.tx_id


def test_the_new_asset_is_the_buyers_and_the_sold_one_s_child(
    world: World, purchase: Purchase, ended: dict[str, Any]
) -> None:
    asset = world.recorder.find("ModelAsset", BOUGHT_NAMESPACE, ended["jobId"])
    assert asset is not None
    assert asset["status"]["did"] == ended["assetDID"]
    assert asset["spec"]["parents"] == [purchase.asset["status"]["did"]]
    assert asset["spec"]["owner"] == BUYER
