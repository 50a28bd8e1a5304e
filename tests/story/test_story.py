"""The story with a tiny model on the real cluster; the operator is killed in the middle of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest
from web3 import Web3

from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.cli.earnings_account import OwnerAccount
from posthuman.cli.story import cast
from posthuman.cli.story.acts import play
from posthuman.cli.story.epilogue import texts_of
from posthuman.cli.story.facts import Generation
from posthuman.cli.story.prepare import Data
from posthuman.cli.story.script import TINY
from posthuman.cli.story.shop import Minted, Shop
from posthuman.errors import UserError
from posthuman.ledger.account import account_of, mint
from posthuman.ledger.reader import open_reader
from tests.cluster.kubectl import kubectl
from tests.services.world import World, condition
from tests.story import bodies, stage
from tests.story.history import clashes, phases, pods_of
from tests.story.installation import SYSTEM_NAMESPACE, WORK_NAMESPACE
from tests.story.telling import JOBS, ClusterStage, Telling
from tests.story.unpaid import AGAIN, UNPAID, ContestedStage, without_order

pytestmark = pytest.mark.cluster

OPERATOR = "app.kubernetes.io/name=posthuman-operator"
WHOLE_LIFE = ["Staging", "Queued", "Running", "Exporting", "Publishing", "Succeeded"]
UNPUBLISHED_LIFE = [phase for phase in WHOLE_LIFE if phase != "Publishing"]
STORY = ("Accepted", "Staging", "Staged", "Queued", "Running", "Completed", "Exporting", "Exported",
         "Publishing", "Published", "Succeeded")  # fmt: skip
TRANSACTIONS = 3 + 4 + 4  # Alice's asset has no reward to mint


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The story, and what only its middle shows."""

    telling: Telling
    bobs: Minted
    rows: list[Generation]
    killed: str  # UID of the operator's pod that was killed
    sales: list[str]  # what was said of each
    earned: OwnerAccount  # Alice's

    def job(self, key: Key) -> ComputeJob:
        """A finished job."""
        found = self.telling.mirror.find(ComputeJob, key)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def told(world: World, tiny: Data, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Told once; each test asks for one thing that must be true of it."""
    folder = tmp_path_factory.mktemp("story")
    world.ready_environment(stage.environment_body(world.services))
    telling = Telling(world.services, world.recorder, TINY, folder)
    uploads = asyncio.run(stage.bring(tiny, world.services, folder))
    sales: list[str] = []
    shop, placed = telling.shop(sales.append), ContestedStage(world, telling, uploads)
    world.apply(without_order(placed.given))
    killed, bobs = asyncio.run(tell(world, telling, placed, shop))
    yield Told(
        telling=telling,
        bobs=bobs,
        rows=asyncio.run(telling.rows()),
        killed=killed,
        sales=sales,
        earned=asyncio.run(shop.earned(cast.ALICE)),
    )


async def tell(
    world: World, telling: Telling, placed: ClusterStage, shop: Shop
) -> tuple[str, Minted]:
    """The acts, and in the middle of them the operator's end: gives the UID of its pod."""
    running = partial(is_running, telling, cast.BOB_TRAINS)
    kill = asyncio.create_task(asyncio.to_thread(kill_operator_when, world, running))
    bobs = await play(placed, shop)
    await telling.until(*JOBS, timeout_seconds=300)
    return await kill, bobs


def test_each_job_went_through_every_phase_in_order(world: World, told: Told) -> None:
    events = world.recorder.events("ComputeJob")
    seen = {str(key): [p for p in phases(events, str(key)) if p != "Pending"] for key in JOBS}
    published = (cast.BOB_TRAINS, cast.CHARLIE_TRAINS)
    assert seen == {str(key): WHOLE_LIFE if key in published else UNPUBLISHED_LIFE for key in JOBS}


def test_a_job_waits_for_the_asset_it_needs_and_says_so(world: World, told: Told) -> None:
    reasons = [line["reason"] for line in told_events(world, UNPAID)]
    assert {"AssetNotFound", "AssetNotReady"} & set(reasons)


def test_a_job_without_an_order_is_refused_with_what_to_do(world: World, told: Told) -> None:
    body = world.recorder.finished_job(UNPAID.namespace, UNPAID.name)
    assert body["status"]["phase"] == "Failed"
    why = condition(body, "Accepted")
    assert why["reason"] == "OrderMissing"
    assert f"{cast.CHARLIE.address} doesn't own did:op:" in why["message"]
    assert 'Order its service "train"' in why["message"]


def test_an_order_starts_one_job_at_a_time(world: World, told: Told) -> None:
    [line] = [line for line in told_events(world, AGAIN) if line["reason"] == "OrderInUse"]
    assert f"is in use by job {cast.BOB_TRAINS}" in line["message"]
    assert not pods_of(world.recorder.events(), str(AGAIN))


def test_each_job_was_paid_for_and_the_market_had_its_share(told: Told) -> None:
    orders = {key: told.job(key).status.orders for key in JOBS}
    assert [len(orders[key]) for key in JOBS] == [1, 1, 1, 3]
    said = " ".join(told.sales)
    assert all(order.tx_id in said for paid in orders.values() for order in paid)
    assert [money.amount for money in told.earned.market_in_all] == ["30"]
    [base] = told.earned.assets
    assert [(line.service, cast.name_of(line.payer)) for line in base.orders] == [
        ("train", "Bob"),
        ("evaluate", "Elena"),
    ]
    assert [str(money) for money in base.waiting] == ["20 OCEAN"]


def test_no_worker_was_alive_while_its_job_staged_exported_or_published(
    world: World, told: Told
) -> None:
    events = world.recorder.events()
    assert clashes(events) == []
    for key in JOBS:
        roles = sorted(pod.role for pod in pods_of(events, str(key)))
        assert roles == ["export", "run", "stage"], f"{key} had other pods"


def test_killing_the_operator_in_the_middle_changed_nothing(told: Told) -> None:
    """Its successor found everything it needed in the cluster."""
    uids = kubectl("-n", SYSTEM_NAMESPACE, "get", "pods", "-l", OPERATOR,
                   "-o", "jsonpath={.items[*].metadata.uid}")  # fmt: skip
    assert told.killed and told.killed not in uids
    job = told.job(cast.BOB_TRAINS)
    assert job.status.phase is Phase.SUCCEEDED
    assert [attempt.reason for attempt in job.status.attempts] == ["Completed"]
    assert job.status.gpu_seconds > 0


def test_kubectl_get_shows_phase_progress_asset_and_age(told: Told) -> None:
    lines = kubectl("get", "computejobs", "--namespace", "bob").splitlines()
    assert lines[0].split() == ["NAME", "PHASE", "PROGRESS", "ASSET", "AGE"]
    assert lines[1].split()[:4] == ["bob-trains", "Succeeded", "100", "bob-trains"]


def test_kubectl_describe_tells_the_story_in_events(world: World, told: Told) -> None:
    reasons = [line["reason"] for line in told_events(world, cast.BOB_TRAINS)]
    assert set(STORY) <= set(reasons)
    described = kubectl("describe", "computejob", "--namespace", "bob", "bob-trains")
    assert "accepted by environment lab" in described[described.index("Events:") :]


def test_two_hundred_datatokens_were_minted_to_bob_and_he_can_mint_more(told: Told) -> None:
    assert told.bobs == Minted(reward=200, held=250)
    datatoken = told.telling.asset(cast.BOB_TRAINS).status.datatoken
    with pytest.raises(UserError):
        asyncio.run(
            mint(
                told.telling.services.rpc_url,
                cast.CHARLIE.private_key,
                datatoken,
                cast.CHARLIE.address,
                1,
            )
        )


def test_each_publication_is_one_nft_of_its_owner(told: Told) -> None:
    async def owners() -> list[str]:
        services = told.telling.services
        reader = open_reader(services.rpc_url, stage.chain_spec(services))
        nfts = [told.telling.asset(key).status.nft for key in cast.GENERATIONS]
        try:
            return [await reader.nft_owner(nft) for nft in nfts]
        finally:
            await reader.close()

    people = [cast.ALICE.address, cast.BOB.address, cast.CHARLIE.address]
    assert asyncio.run(owners()) == people


def test_the_signer_sent_not_one_transaction_too_many(told: Told) -> None:
    signer = account_of(bodies.SIGNER_KEY).address
    web3 = Web3(Web3.HTTPProvider(told.telling.services.rpc_url))
    assert web3.eth.get_transaction_count(signer) == TRANSACTIONS


def test_the_lineage_is_on_chain_and_the_store_agrees(told: Told) -> None:
    charlies = asyncio.run(told.telling.lineage(told.rows[-1].did))
    (bobs,) = charlies.parents
    (alices,) = bobs.parents
    assert [found.did for found in (alices, bobs, charlies)] == [row.did for row in told.rows]
    assert {found.store for found in (alices, bobs, charlies)} == {"matches"}
    assert alices.parents == ()


def test_loss_falls_from_generation_to_generation(told: Told) -> None:
    losses = [row.loss for row in told.rows]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 3


def test_every_result_is_in_the_store_with_the_sha256_that_its_manifest_says(
    world: World, told: Told
) -> None:
    for key in JOBS:
        body = world.recorder.find("ComputeJob", key.namespace, key.name)
        assert body is not None
        manifest = world.manifest(body)
        assert manifest.outcome == "Succeeded"
        assert "logs/algorithm.log" in [file.path for file in manifest.files]
        for file in manifest.files:
            content = world.result(body, file.path)
            found = (len(content), hashlib.sha256(content).hexdigest())
            assert found == (file.size, file.sha256), f"{key}: {file.path}"


def test_only_the_model_is_custody(world: World, told: Told) -> None:
    body = world.recorder.find("ComputeJob", "bob", "bob-trains")
    assert body is not None
    custody = {file.path for file in world.manifest(body).files if file.file_class == "custody"}
    assert "model/model.safetensors" in custody
    assert all(path.startswith("model/") for path in custody)


def test_derek_got_what_he_asked_for(told: Told) -> None:
    result = asyncio.run(told.telling.result(cast.DEREK_GENERATES, "generations.jsonl"))
    lines = texts_of(result)
    assert [line["prompt"] for line in lines] == ["In the beginning", "And the king said unto"]
    assert all(line["text"] for line in lines)
    parameters = told.job(cast.DEREK_GENERATES).spec.parameters
    assert {"topP", "topK", "temperature"} <= set(parameters)


def test_nothing_of_a_finished_job_is_left_in_the_work_namespace(world: World, told: Told) -> None:
    jobs = {str(key) for key in JOBS}

    def left() -> list[str]:
        pods = world.recorder.present("Pod")
        return [pod["metadata"]["name"] for pod in pods
                if pod["metadata"].get("annotations", {}).get(
                    "compute.posthuman.network/job") in jobs]  # fmt: skip

    world.recorder.wait(lambda: not left(), 60, "the story's pods to be gone")
    claims = kubectl("-n", WORK_NAMESPACE, "get", "persistentvolumeclaims", "-o", "name")
    assert "bob-trains" not in claims


def test_a_finished_job_can_be_deleted_and_its_asset_stays(told: Told) -> None:
    kubectl("-n", "derek", "delete", "computejob", "derek-generates", "--timeout=60s")
    assert told.telling.asset(cast.CHARLIE_TRAINS).status.did


def test_metrics_say_what_an_on_call_engineer_asks(told: Told) -> None:
    metrics = of_operator("metrics")
    for name in (
        'posthuman_jobs{environment="lab",phase="Succeeded"',
        "posthuman_reconcile_seconds_bucket",
        "posthuman_queue_depth",
        "posthuman_watch_lag_seconds_bucket",
        "posthuman_api_writes_total",
        'posthuman_publication_steps{state="confirmed",step="create"}',
        "posthuman_nonce_gap",
        "posthuman_signer_balance_wei",
    ):
        assert name in metrics, f"{name} is not in /metrics"
    created = re.search(r'steps\{state="confirmed",step="create"\} (\S+)', metrics)
    assert created is not None
    assert float(created[1]) >= len(cast.GENERATIONS)


def test_the_operator_says_that_it_lives_and_is_ready(told: Told) -> None:
    assert (of_operator("healthz"), of_operator("readyz")) == ("ok\n", "ok\n")


def is_running(telling: Telling, key: Key) -> bool:
    job = telling.mirror.find(ComputeJob, key)
    if job is None or job.status.phase is not Phase.RUNNING:
        return False
    why = find_condition(job.status.conditions, "Succeeded")
    return why is not None and why.reason == "Running"


def kill_operator_when(world: World, moment: Callable[[], bool]) -> str:
    """Without a grace; gives the pod's UID."""
    world.recorder.wait(moment, 180, "Bob's job to run")
    listed = kubectl("-n", SYSTEM_NAMESPACE, "get", "pods", "-l", OPERATOR, "-o", "json")
    (pod,) = json.loads(listed)["items"]
    name = pod["metadata"]["name"]
    kubectl("-n", SYSTEM_NAMESPACE, "delete", "pod", name, "--force", "--grace-period=0")
    uid: str = pod["metadata"]["uid"]
    return uid


def told_events(world: World, key: Key) -> list[dict[str, str]]:
    """What the operator told of a job, in order."""
    return [
        {"reason": event.body["reason"], "message": event.body["message"]}
        for event in world.recorder.events("Event")
        if event.body["involvedObject"].get("namespace") == key.namespace
        and event.body["involvedObject"]["name"] == key.name
        and event.change == "ADDED"
    ]


def of_operator(page: str) -> str:
    """Through the API server, so that it works from outside any cluster."""
    service = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services/posthuman-operator:8080"
    return kubectl("get", "--raw", f"{service}/proxy/{page}")
