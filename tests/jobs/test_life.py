"""A job's life on the fake: each turn of it, as a person would see it in the status."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from jobkit.report import Report
from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.conditions import find_condition, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Phase, Progress
from posthuman.api.meta import FINALIZER, Condition, Key
from posthuman.jobs.steps import Network, Role
from tests.builders import CHAIN, MODEL_INPUT, TEXT_INPUT, asset, environment
from tests.jobs.world import World

PUBLISH = {"name": "Bob's GPT-2", "description": "500 more steps", "reward": "200"}


async def test_stage_run_export_succeed() -> None:
    world = World()
    key = world.submit()
    await world.passes(key)
    assert world.status(key).phase is Phase.STAGING
    assert not world.cluster.made_of(Role.RUN), "no GPU is taken while a job stages"
    await world.to_exporting(key)
    await world.export(key)
    status = world.status(key)
    assert (status.phase, status.outcome) == (Phase.SUCCEEDED, "Succeeded")
    assert status.results and status.results.uri == "s3://results/env/jobs/11112222-3333"
    assert status.gpu_seconds == 60
    assert not world.cluster.anchors, "the workspace goes when the results are in the store"


async def test_the_story_is_told_in_events() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    await world.export(key)
    told = [event.reason for event in world.cluster.events]
    assert told == [
        *("Accepted", "Staging", "Staged", "Queued", "Running", "Completed", "Exporting"),
        *("Exported", "Succeeded"),
    ]


async def test_a_pass_that_changes_nothing_writes_nothing() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    before = world.cluster.writes
    await world.passes(key, 5)
    assert world.cluster.writes == before


async def test_pods_of_each_role_have_what_they_may_and_no_more() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    stage, run, export = (
        world.cluster.made_of(role)[0] for role in (Role.STAGE, Role.RUN, Role.EXPORT)
    )
    assert run.network is Network.PEERS
    assert not run.store_credentials
    assert [mount.folder for mount in run.mounts if not mount.read_only] == [
        "outputs/1",
        "logs",
        "scratch",
    ]
    assert stage.store_credentials and export.store_credentials
    assert stage.resources.gpus == export.resources.gpus == 0


async def test_a_refused_job_makes_nothing() -> None:
    world = World()
    key = world.submit(timeout="25h")
    await world.passes(key)
    assert world.status(key).phase is Phase.FAILED
    assert world.reason(key) == "TimeoutAboveLimit"
    assert not world.cluster.made and not world.cluster.anchors


async def test_an_unknown_environment_is_waited_for_with_a_sentence() -> None:
    world = World()
    key = world.submit(environmentRef={"name": "a10"})
    await world.passes(key)
    assert world.status(key).phase is Phase.PENDING
    assert world.reason(key) == "EnvironmentNotFound"
    world.objects.create(environment("a10"))
    world.objects.write_status(_with_ready(world, "a10"))
    await world.passes(key)
    assert world.status(key).phase is Phase.STAGING


def _with_ready(world: World, name: str) -> ComputeEnvironment:
    found = world.objects.find(ComputeEnvironment, Key("", name))
    assert found is not None
    return msgspec.structs.replace(found, status=environment(name).status)


@pytest.mark.parametrize("reason", ["ChecksumMismatch", "InputNotFound", "UriRefused"])
async def test_a_wrong_input_fails_the_job_before_any_gpu(reason: str) -> None:
    world = World()
    key = world.submit(retries=3)
    await world.passes(key)
    report = Report(reason=reason, message="input text: …", user_error=True)
    world.cluster.end(world.step(Role.STAGE), "Failed", report, exit_code=2)
    await world.passes(key)
    assert world.status(key).phase is Phase.EXPORTING, "its logs are kept"
    await world.export(key, outcome="Failed")
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, reason)
    assert not world.cluster.made_of(Role.RUN)


async def test_a_store_that_is_away_is_asked_again_three_times() -> None:
    world = World()
    key = world.submit()
    away = Report(reason="StoreUnavailable", message="the store is away")
    for _ in range(3):
        await world.passes(key)
        world.cluster.end(world.step(Role.STAGE), "Failed", away, exit_code=1)
    await world.passes(key)
    assert [step.attempt for step in world.cluster.made_of(Role.STAGE)] == [1, 2, 3]
    assert world.status(key).outcome == "Failed"


async def test_a_failed_algorithm_keeps_its_logs_and_publishes_nothing() -> None:
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await world.to_running(key)
    report = Report(reason="NaNLoss", message="the loss is NaN at step 3", user_error=True)
    world.cluster.end(world.step(Role.RUN), "Failed", report, exit_code=7)
    await world.passes(key)
    await world.export(key, outcome="Failed")
    status = world.status(key)
    assert (status.phase, world.reason(key)) == (Phase.FAILED, "NaNLoss")
    assert status.results is not None
    assert status.attempts[0].exit_code == 7
    assert not world.objects.all(ModelAsset)


async def test_a_users_error_gets_no_second_attempt_others_do() -> None:
    world = World()
    key = world.submit(retries=1)
    await world.to_running(key)
    world.cluster.end(world.step(Role.RUN), "Failed", exit_code=1, reason="Evicted")
    await world.passes(key)
    assert [step.attempt for step in world.cluster.made_of(Role.RUN)] == [1, 2]
    report = Report(reason="BadParameter", message="…", user_error=True)
    world.cluster.end(world.step(Role.RUN), "Failed", report, exit_code=2)
    await world.passes(key)
    assert len(world.cluster.made_of(Role.RUN)) == 2
    assert world.status(key).outcome == "Failed"


async def test_the_next_attempt_waits_for_the_last_pod_of_the_old_one() -> None:
    world = World()
    key = world.submit(retries=1)
    await world.to_running(key)
    name = world.step(Role.RUN)
    world.cluster.end(name, "Failed", exit_code=1, reason="Evicted")
    world.cluster._change(name, live_pods=1)
    await world.passes(key)
    assert len(world.cluster.made_of(Role.RUN)) == 1
    assert world.reason(key) == "AttemptEnding"


async def test_out_of_memory_says_what_to_do() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.cluster.end(world.step(Role.RUN), "Failed", exit_code=137, reason="OOMKilled")
    await world.passes(key)
    executed = find_condition(world.status(key).conditions, "Executed")
    assert executed and executed.reason == "OOMKilled"
    assert "spec.resources.memory" in executed.message


async def test_a_timeout_counts_running_pods_only() -> None:
    world = World()
    key = world.submit(timeout="100s")
    await world.passes(key)
    world.clock.forward(1000)
    world.cluster.end(world.step(Role.STAGE))
    await world.passes(key)
    world.cluster.progress(world.step(Role.RUN), started_at=timestamp(world.clock.now()))
    again = await world.passes(key)
    assert again is not None and again <= 100
    world.clock.forward(101)
    await world.passes(key)
    assert world.status(key).attempts[0].reason == "DeadlineExceeded"
    assert world.status(key).outcome == "Failed"
    assert not await world.cluster.step("work", world.step(Role.RUN)), "its pods are ended"


async def test_an_image_that_cannot_be_pulled_fails_after_a_grace() -> None:
    world = World()
    key = world.submit()
    await world.passes(key)
    world.cluster.end(world.step(Role.STAGE))
    await world.passes(key)
    name = world.step(Role.RUN)
    world.cluster.wait(name, "ImagePullBackOff", 'Back-off pulling image "x"')
    world.cluster._change(name, created_at=timestamp(world.clock.now()))
    assert await world.passes(key) is not None
    assert world.status(key).phase is Phase.QUEUED
    world.clock.forward(61)
    await world.passes(key)
    assert world.status(key).outcome == "Failed"
    assert world.status(key).attempts[0].reason == "ImagePullFailed"


async def test_nothing_written_is_a_failure() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    await world.export(key, outcome="Failed", reason="NoOutput")
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, "NoOutput")


async def test_success_needs_the_manifest_in_the_store() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    lie = Report(reason="Exported", details={"manifestDigest": "sha256:" + "f" * 64})
    world.cluster.end(world.step(Role.EXPORT), report=lie)
    await world.passes(key)
    assert (world.status(key).phase, world.reason(key)) == (Phase.EXPORTING, "ManifestMissing")


async def test_an_export_that_fails_is_tried_again_without_a_gpu() -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    away = Report(reason="StoreUnavailable", message="the store is away")
    ended = timestamp(world.clock.now())
    name = world.step(Role.EXPORT)
    world.cluster.end(name, "Failed", away, exit_code=1, ended_at=ended)
    again = await world.passes(key)
    assert again is not None and world.reason(key) == "StoreUnavailable"
    world.clock.forward(again + 1)
    await world.passes(key)
    assert len(world.cluster.made_of(Role.EXPORT)) == 2
    await world.export(key)
    assert world.status(key).phase is Phase.SUCCEEDED


async def test_publishing_follows_the_asset_and_heals() -> None:
    world = World(chain=CHAIN)
    world.objects.create(asset())
    parent = world.objects.find(ModelAsset, Key("alice", "gpt2"))
    assert parent is not None
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key)
    assert world.status(key).phase is Phase.PUBLISHING
    made = world.objects.find(ModelAsset, key)
    assert made is not None
    assert made.spec.parents == (asset().status.did,)
    assert made.spec.reward and made.spec.reward.amount == "200"
    _asset_says(world, made, "False", "ChainUnreachable")
    await world.passes(key)
    assert world.reason(key) == "ChainUnreachable"
    _asset_says(world, made, "True", "Published")
    await world.passes(key)
    assert world.status(key).phase is Phase.SUCCEEDED


def _asset_says(world: World, made: ModelAsset, status: str, reason: str) -> None:
    found = world.objects.find(ModelAsset, made.metadata.key)
    assert found is not None
    ready = Condition(type="Ready", status=status, reason=reason)
    new = AssetStatus(did="did:op:" + "2" * 64, conditions=(ready,))
    world.objects.write_status(msgspec.structs.replace(found, status=new))


async def test_parents_are_as_they_were_at_acceptance() -> None:
    world = World(chain=CHAIN)
    world.objects.create(asset())
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], publish=PUBLISH)
    await world.passes(key)
    world.objects.delete(ModelAsset, Key("alice", "gpt2"))
    await world.to_exporting(key)
    await world.export(key)
    made = world.objects.find(ModelAsset, key)
    assert made is not None and made.spec.parents == (asset().status.did,)


async def test_an_asset_of_that_name_is_never_adopted() -> None:
    world = World(chain=CHAIN)
    world.objects.create(asset("bob-trains", "bob"))
    key = world.submit(publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key)
    assert world.reason(key) == "AssetNameTaken"
    world.objects.delete(ModelAsset, key)
    await world.passes(key)
    made = world.objects.find(ModelAsset, key)
    assert made is not None and made.spec.job_uid == "11112222-3333"


async def test_deleting_its_asset_ends_a_publication() -> None:
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key)
    world.objects.delete(ModelAsset, key)
    await world.passes(key)
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, "PublicationAbandoned")
    assert world.status(key).results is not None


async def test_a_model_to_publish_must_have_been_written() -> None:
    world = World(chain=CHAIN)
    key = world.submit(publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key, model=False)
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, "NothingToPublish")


async def test_stop_ends_the_pods_and_keeps_the_logs() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.edit(key, stop=True)
    await world.passes(key)
    assert not await world.cluster.step("work", world.step(Role.RUN))
    await world.export(key, outcome="Stopped")
    assert world.status(key).phase is Phase.STOPPED
    assert world.status(key).results is not None


async def test_a_job_exports_only_once_its_pods_are_gone() -> None:
    """No worker lives outside Running, also not for the time it takes to end."""
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.edit(key, stop=True)
    await world.passes(key, 1)
    assert world.status(key).outcome == "Stopped"
    assert (world.status(key).phase, world.reason(key)) == (Phase.RUNNING, "PodsEnding")
    await world.passes(key)
    assert world.status(key).phase is Phase.EXPORTING


async def test_suspend_frees_the_gpu_and_costs_no_retry() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.edit(key, suspend=True)
    await world.passes(key)
    assert world.status(key).phase is Phase.SUSPENDED
    assert not await world.cluster.step("work", world.step(Role.RUN))
    world.edit(key, suspend=False)
    await world.passes(key)
    assert [step.attempt for step in world.cluster.made_of(Role.RUN)] == [1, 2]
    assert not world.status(key).attempts[0].counts


async def test_gpus_are_taken_in_order() -> None:
    world = World()
    first, second = world.submit(gpusPerNode=8), world.submit("later", "9999", gpusPerNode=1)
    await world.to_running(first)
    await world.passes(second)
    world.cluster.end(world.step(Role.STAGE))
    await world.passes(second)
    assert world.reason(second) == "WaitingForGPUs"
    succeeded = find_condition(world.status(second).conditions, "Succeeded")
    assert succeeded and "8 of 8 are in use" in succeeded.message
    world.cluster.end("bob-trains-11112222-run-1")
    await world.passes(first)
    await world.passes(second)
    assert len(world.cluster.made_of(Role.RUN)) == 2


async def test_waiting_too_long_fails_with_what_it_waited_for() -> None:
    world = World(limits={"maxQueueTime": "1h"})
    first, second = world.submit(gpusPerNode=8), world.submit("later", "9999", gpusPerNode=8)
    await world.to_running(first)
    await world.passes(second)
    world.cluster.end(world.step(Role.STAGE))
    world.clock.forward(2 * 3600)
    await world.passes(second)
    executed = find_condition(world.status(second).conditions, "Executed")
    assert executed and executed.reason == "QueueTimeout"
    assert "waits for 8 GPU(s)" in executed.message


async def test_progress_is_written_at_most_every_ten_seconds() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    name = world.step(Role.RUN)
    written = []
    for step in range(1, 31):
        world.cluster._change(name, progress=Progress(percent=step, step=step))
        world.clock.forward(1)
        await world.passes(key, 1)
        found = world.status(key).progress
        written.append(found.step if found else 0)
    assert len(set(written)) == 3


async def test_an_attempt_that_vanished_is_lost_not_forgotten() -> None:
    world = World()
    key = world.submit(retries=1)
    await world.to_running(key)
    world.cluster.vanish(world.step(Role.RUN))
    await world.passes(key)
    assert world.status(key).attempts[0].reason == "Lost"
    assert [step.attempt for step in world.cluster.made_of(Role.RUN)] == [1, 2]


async def test_deletion_clears_the_work_namespace_before_the_job_goes() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.objects.delete(ComputeJob, key)
    assert FINALIZER in world.get(key).metadata.finalizers
    await world.passes(key)
    assert not world.cluster.anchors
    assert world.objects.find(ComputeJob, key) is None


async def test_a_finished_job_goes_when_its_time_to_live_is_over() -> None:
    world = World()
    key = world.submit(ttlSecondsAfterFinished=60)
    await world.to_exporting(key)
    await world.export(key)
    again = await world.passes(key)
    assert again is not None and again <= 60
    world.clock.moment += timedelta(seconds=61)
    await world.passes(key)
    assert world.objects.find(ComputeJob, key) is None
