"""The Cluster port's contract, on the fake, on a laptop and on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import FINALIZER, Key
from posthuman.errors import Conflict, NotFound, TransientError
from posthuman.jobs.steps import Anchor, Private, Role
from posthuman.local.cluster import LocalCluster
from posthuman.ports import JobEvent, NonceBook, OrderClaim
from tests.builders import asset as an_asset
from tests.builders import environment as an_environment
from tests.builders import job as a_job
from tests.kube.builders import a_run, a_stage, an_anchor
from tests.kube.crds import apply_crds
from tests.kube.worlds import FakeWorld, World, in_world, real_world
from tests.local.worlds import laptop_world

ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.fixture(scope="module")
def cluster_with_crds(cluster_facts: Mapping[str, str]) -> Path:
    return apply_crds(cluster_facts)


@pytest.fixture(params=["fake", "laptop", pytest.param("real", marks=pytest.mark.cluster)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    if request.param == "laptop":
        async with laptop_world(tmp_path) as laptop:
            yield laptop
        return
    kubeconfig: Path = request.getfixturevalue("cluster_with_crds")
    async with real_world(kubeconfig) as world:
        yield world


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Look again until it holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (an API server sets no asyncio.Event)
            await asyncio.sleep(0.2)


async def a_stored_job(world: World, name: str = "bob-trains") -> ComputeJob:
    await world.create(in_world(world, a_job(), name))
    await world.settle()
    found = await world.cluster.job(Key(world.tenant, name))
    assert found is not None
    return found


async def a_stored_asset(world: World, name: str = "gpt2") -> ModelAsset:
    await world.cluster.create_asset(in_world(world, an_asset(), name))
    found = await world.cluster.asset(Key(world.tenant, name), fresh=True)
    assert found is not None
    return found


def with_phase(job: ComputeJob, phase: Phase) -> ComputeJob:
    status = msgspec.structs.replace(job.status, phase=phase)
    return msgspec.structs.replace(job, status=status)


async def test_what_is_not_there_is_none(world: World) -> None:
    key = Key(world.tenant, "absent")
    await world.settle()
    assert await world.cluster.job(key) is None
    assert await world.cluster.job(key, fresh=True) is None
    assert await world.cluster.asset(key) is None
    assert await world.cluster.asset(key, fresh=True) is None
    assert await world.cluster.environment("absent") is None
    assert await world.cluster.step(world.work, "absent") is None
    assert list(await world.cluster.steps(world.work, "absent")) == []
    assert not await world.cluster.anchor_exists(world.work, "absent")


async def test_a_status_is_read_back_at_once(world: World) -> None:
    job = await a_stored_job(world)
    await world.cluster.write_job(with_phase(job, Phase.STAGING))
    found = await world.cluster.job(job.metadata.key)
    assert found is not None
    assert found.status.phase is Phase.STAGING
    assert found.spec == job.spec
    assert found.metadata.resource_version != job.metadata.resource_version
    assert await world.cluster.job(job.metadata.key, fresh=True) == found


async def test_a_write_at_an_old_version_is_refused(world: World) -> None:
    job = await a_stored_job(world)
    await world.cluster.write_job(with_phase(job, Phase.STAGING))
    with pytest.raises(Conflict):
        await world.cluster.write_job(with_phase(job, Phase.FAILED))
    found = await world.cluster.job(job.metadata.key)
    assert found is not None
    assert found.status.phase is Phase.STAGING


async def test_a_write_to_what_is_gone_is_refused(world: World) -> None:
    job = await a_stored_job(world)
    await world.cluster.delete_job(job.metadata.key)
    with pytest.raises((Conflict, NotFound)):
        await world.cluster.write_job(with_phase(job, Phase.STAGING))


async def test_an_asset_is_written_again_and_again_from_what_was_stored(world: World) -> None:
    asset = await a_stored_asset(world)
    for did in ("did:op:1", "did:op:2"):
        status = msgspec.structs.replace(asset.status, did=did)
        asset = await world.cluster.write_asset(msgspec.structs.replace(asset, status=status))
        assert asset.status.did == did
    fresh = await world.cluster.asset(asset.metadata.key, fresh=True)
    assert fresh == asset
    assert await world.cluster.asset(asset.metadata.key) == asset


async def test_an_asset_s_name_is_taken_once(world: World) -> None:
    await a_stored_asset(world)
    with pytest.raises(Conflict):
        await a_stored_asset(world)


async def test_our_finalizer_holds_a_deletion(world: World) -> None:
    job = await a_stored_job(world)
    key = job.metadata.key
    for _ in range(2):
        await world.cluster.set_finalizer("ComputeJob", key, True)
    await world.cluster.delete_job(key)
    await world.settle()
    held = await world.cluster.job(key)
    assert held is not None
    assert held.metadata.deletion_timestamp
    assert held.metadata.finalizers == (FINALIZER,)
    await world.cluster.set_finalizer("ComputeJob", key, False)
    await world.settle()
    assert await world.cluster.job(key) is None
    await world.cluster.set_finalizer("ComputeJob", key, False)
    await world.cluster.delete_job(key)


async def test_jobs_and_assets_are_found_by_their_environment(world: World) -> None:
    job = await a_stored_job(world)
    asset = await a_stored_asset(world)
    name = job.spec.environment_ref.name
    assert [found.metadata.key for found in await world.cluster.jobs_of(name)] == [job.metadata.key]
    found = await world.cluster.assets_of(name)
    assert [one.metadata.key for one in found] == [asset.metadata.key]
    assert list(await world.cluster.jobs_of("another")) == []
    assert list(await world.cluster.assets_of("another")) == []


async def test_an_environment_is_cluster_scoped(world: World) -> None:
    environment: ComputeEnvironment = in_world(world, an_environment())
    await world.create(environment)
    await world.settle()
    found = await world.cluster.environment(environment.metadata.name)
    assert found is not None
    assert environment.metadata.name in await world.cluster.environment_names()
    status = msgspec.structs.replace(found.status, running_jobs=3)
    await world.cluster.write_environment(msgspec.structs.replace(found, status=status))
    again = await world.cluster.environment(environment.metadata.name)
    assert again is not None
    assert again.status.running_jobs == 3


async def an_anchor_there(world: World) -> Anchor:
    anchor = an_anchor(namespace=world.work, uid="")
    anchor = msgspec.structs.replace(anchor, workspace_size="1Mi")
    await world.cluster.create_anchor(anchor)
    return anchor


async def test_an_anchor_is_made_once_and_goes_with_all_it_owns(world: World) -> None:
    anchor = await an_anchor_there(world)
    await world.cluster.create_anchor(anchor)
    assert await world.cluster.anchor_exists(anchor.namespace, anchor.name)
    await world.cluster.create_step(anchor, a_stage())
    for _ in range(2):
        await world.cluster.delete_anchor(anchor.namespace, anchor.name)

    async def gone() -> bool:
        return not await world.cluster.anchor_exists(anchor.namespace, anchor.name)

    await until(gone)
    await world.settle()
    assert await world.cluster.step(anchor.namespace, a_stage().name) is None
    assert list(await world.cluster.steps(anchor.namespace, anchor.job_uid)) == []


async def test_a_step_is_made_once(world: World) -> None:
    anchor = await an_anchor_there(world)
    for _ in range(2):
        await world.cluster.create_step(anchor, a_stage())
    (state,) = await world.cluster.steps(anchor.namespace, anchor.job_uid)
    assert (state.name, state.role, state.attempt) == (a_stage().name, Role.STAGE, 1)
    assert state.state in ("Pending", "Running")
    assert not state.terminating
    read = await world.cluster.step(anchor.namespace, a_stage().name)
    assert read is not None
    assert read.role is Role.STAGE


async def test_a_step_of_two_nodes_is_made_once(world: World) -> None:
    anchor = await an_anchor_there(world)
    for _ in range(2):
        await world.cluster.create_step(anchor, a_run(nodes=2))
    (state,) = await world.cluster.steps(anchor.namespace, anchor.job_uid)
    assert state.role is Role.RUN


async def test_a_deleted_step_is_gone_in_the_end(world: World) -> None:
    anchor = await an_anchor_there(world)
    await world.cluster.create_step(anchor, a_stage())
    for _ in range(2):
        await world.cluster.delete_step(anchor.namespace, a_stage().name, 0)

    async def gone() -> bool:
        return await world.cluster.step(anchor.namespace, a_stage().name) is None

    await until(gone)
    await world.settle()
    assert list(await world.cluster.steps(anchor.namespace, anchor.job_uid)) == []


async def test_a_secret_s_bytes(world: World) -> None:
    await world.put_secret("store", {"accessKeyId": b"\x00key"})
    assert dict(await world.cluster.secret(world.work, "store")) == {"accessKeyId": b"\x00key"}
    with pytest.raises(NotFound):
        await world.cluster.secret(world.work, "absent")


async def test_a_work_namespace_is_prepared(world: World) -> None:
    assert await world.cluster.namespace_prepared(world.work)


async def test_a_nonce_book_is_advanced_by_compare_and_swap(world: World) -> None:
    unused = await world.cluster.nonce_book(8996, ALICE)
    assert unused == NonceBook()
    first = NonceBook(next_nonce=5, reserved={"pub/create": 4})
    await world.cluster.save_nonce_book(8996, ALICE, first)
    with pytest.raises(Conflict):
        await world.cluster.save_nonce_book(8996, ALICE, first)
    read = await world.cluster.nonce_book(8996, ALICE)
    assert (read.next_nonce, read.reserved) == (5, {"pub/create": 4})
    await world.cluster.save_nonce_book(8996, ALICE, msgspec.structs.replace(read, next_nonce=6))
    with pytest.raises(Conflict):
        await world.cluster.save_nonce_book(8996, ALICE, read)
    assert (await world.cluster.nonce_book(8996, ALICE)).next_nonce == 6
    assert (await world.cluster.nonce_book(1, ALICE)) == NonceBook()


async def test_an_order_is_claimed_by_compare_and_swap(world: World) -> None:
    order = f"8996/{ALICE}/{world.work}"
    unused = await world.cluster.order_claim(order)
    assert unused == OrderClaim(order_id=order)
    bob = msgspec.structs.replace(unused, holder=Key("bob", "trains"), holder_uid="1")
    await world.cluster.save_order_claim(bob)
    with pytest.raises(Conflict):
        await world.cluster.save_order_claim(msgspec.structs.replace(bob, holder_uid="2"))
    held = await world.cluster.order_claim(order)
    assert (held.holder, held.holder_uid) == (Key("bob", "trains"), "1")
    freed = msgspec.structs.replace(held, holder_uid="", used_seconds={"0x1": 2.5})
    await world.cluster.save_order_claim(freed)
    with pytest.raises(Conflict):
        await world.cluster.save_order_claim(msgspec.structs.replace(held, holder_uid="3"))
    read = await world.cluster.order_claim(order)
    assert (read.holder_uid, read.used_seconds) == ("", {"0x1": 2.5})
    assert (await world.cluster.order_claim(order + "/other")).version == ""


async def test_a_lease_is_held_and_renewed(world: World) -> None:
    assert await world.cluster.hold_lease("signer")
    assert await world.cluster.hold_lease("signer")


async def test_telling_the_story_never_fails(world: World) -> None:
    job = await a_stored_job(world)
    for _ in range(2):
        await world.cluster.emit(
            JobEvent(
                kind="ComputeJob",
                key=job.metadata.key,
                uid=job.metadata.uid,
                reason="Staged",
                message="the inputs are there",
            )
        )


async def test_what_a_vanished_job_left_is_found(world: World) -> None:
    """On a laptop nothing is: its processes are children of the one that knows their job."""
    job = await a_stored_job(world)
    anchor = msgspec.structs.replace(
        an_anchor(namespace=world.work, uid=""), job=job.metadata.key, job_uid=job.metadata.uid
    )
    await world.cluster.create_anchor(anchor)
    await world.cluster.create_step(anchor, a_stage())
    await world.settle()
    assert list(await world.cluster.strays(job.metadata.key)) == []
    await world.cluster.delete_job(job.metadata.key)
    await world.settle()
    left = list(await world.cluster.strays(job.metadata.key))
    on_laptop = isinstance(world.cluster, LocalCluster)
    assert left == ([] if on_laptop else [Key(world.work, anchor.name)])
    await world.cluster.delete_anchor(world.work, anchor.name)


async def test_a_private_secret_is_replaced_and_goes(world: World) -> None:
    anchor = await an_anchor_there(world)
    for content in ({"old": b"1"}, {"new": b"2"}):
        await world.cluster.put_private(anchor, Private(name="it-private", content=content))
    for _ in range(2):
        await world.cluster.delete_private(anchor.namespace, "it-private")


async def test_nothing_private_is_made_for_a_job_that_is_gone(world: World) -> None:
    """On a laptop it is a folder, which goes with the others."""
    if isinstance(world.cluster, LocalCluster):
        pytest.skip("a laptop's folders have no owner")
    anchor = an_anchor(namespace=world.work, uid="")
    with pytest.raises(TransientError):
        await world.cluster.put_private(anchor, Private(name="it-private", content={}))


async def test_a_turn_is_one_job_s_at_a_time(world: World) -> None:
    mine = await an_anchor_there(world)
    other = msgspec.structs.replace(mine, name="job-5678", job_uid="5678", job=Key("bob", "other"))
    await world.cluster.create_anchor(other)
    assert await world.cluster.take_turn(mine, "downloads-it")
    assert await world.cluster.take_turn(mine, "downloads-it")
    assert not await world.cluster.take_turn(other, "downloads-it")
    await world.cluster.end_turn(other, "downloads-it")
    assert not await world.cluster.take_turn(other, "downloads-it")
    for _ in range(2):
        await world.cluster.end_turn(mine, "downloads-it")
    assert await world.cluster.take_turn(other, "downloads-it")
    await world.cluster.delete_anchor(other.namespace, other.name)

    async def free() -> bool:
        return await world.cluster.take_turn(mine, "downloads-it")

    await until(free)
