"""What nobody may gain or lose by waiting, by being preempted, or by asking in an odd way."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from jobkit.manifest import Manifest, ModelFacts, digest_of, encode_manifest
from jobkit.plan import ExportPlan, LaunchPlan, StagePlan
from jobkit.report import Report
from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.errors import TransientError
from posthuman.jobs.plans import step_name
from posthuman.jobs.steps import Anchor, Role, Step, StepState
from posthuman.kube.names import master_name
from tests.builders import ALICE, CHAIN, MODEL_INPUT, TEXT_INPUT, asset, job
from tests.jobs.world import World

SHARED = {"/data/logs": "logs", "/data/scratch": "scratch"}
PUBLISH = {"name": "Bob's GPT-2", "description": "500 more steps", "reward": "200"}


async def test_gpus_are_billed_though_fewer_processes_use_them() -> None:
    world = World()
    key = world.submit(gpusPerNode=8, processesPerNode=1)
    await world.to_exporting(key)
    assert world.status(key).gpu_seconds == 8 * 60


async def test_an_asset_is_a_parent_whatever_kind_its_input_is_said_to_be() -> None:
    world = World(chain=CHAIN)
    made = world.objects.create(asset())
    world.objects.write_status(msgspec.structs.replace(made, status=asset().status))
    inputs = [TEXT_INPUT, {**MODEL_INPUT, "kind": "dataset"}]
    key = world.submit(inputs=inputs, publish=PUBLISH)
    await world.to_exporting(key)
    await world.export(key)
    published = await world.cluster.asset(key)
    assert published is not None
    assert published.spec.parents == (asset().status.did,)


async def test_the_asset_is_sold_as_the_job_asked() -> None:
    pricing = {"kind": "FixedRate", "token": ALICE, "rate": "2.5"}
    services = [{"kind": "infer", "timeout": "1h", "trustedPublishers": [ALICE]}]
    world = World(chain=CHAIN)
    key = world.submit(publish={**PUBLISH, "pricing": pricing, "services": services})
    await world.to_exporting(key)
    await world.export(key)
    published, asked = await world.cluster.asset(key), await world.cluster.job(key)
    assert published is not None
    assert asked is not None
    assert asked.spec.publish is not None
    assert published.spec.pricing == asked.spec.publish.pricing
    assert published.spec.pricing.rate == "2.5"
    assert published.spec.services == asked.spec.publish.services
    assert published.spec.services[0].trusted_publishers == (ALICE,)


async def test_preemption_costs_no_retry() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.cluster.end(world.step(Role.RUN), "Failed", exit_code=137, reason="Preempted")
    await world.passes(key)
    assert len(world.cluster.made_of(Role.RUN)) == 2
    assert [attempt.counts for attempt in world.status(key).attempts] == [False, True]


async def test_each_attempt_has_outputs_of_its_own_and_the_scratch_of_those_before() -> None:
    """What a dead attempt wrote is no result; what it saved to go on from must outlive it."""
    world = World()
    key = world.submit(retries=1)
    await world.to_running(key)
    world.cluster.end(world.step(Role.RUN), "Failed", exit_code=1, reason="Evicted")
    await world.passes(key)
    first, second = world.cluster.made_of(Role.RUN)
    assert _writable(first) == {"/data/outputs": "outputs/1", **SHARED}
    assert _writable(second) == {"/data/outputs": "outputs/2", **SHARED}
    assert [run.variables["POSTHUMAN_ATTEMPT"] for run in (first, second)] == ["1", "2"]
    assert first.variables["SCRATCH"] == "/data/scratch"
    world.cluster.end(second.name)
    await world.passes(key)
    plan = world.cluster.made_of(Role.EXPORT)[0].plan
    assert isinstance(plan, ExportPlan)
    assert (plan.outputs_dir, plan.logs_dir) == ("/workspace/outputs/2", "/workspace/logs")


def _writable(run: Step) -> dict[str, str]:
    return {mount.path: mount.folder for mount in run.mounts if not mount.read_only}


async def test_an_algorithm_has_the_environments_grace_to_save_its_checkpoint() -> None:
    world = World(limits={"checkpointGrace": "3m"})
    key = world.submit()
    await world.to_running(key)
    plan = world.cluster.made_of(Role.RUN)[0].plan
    assert isinstance(plan, LaunchPlan)
    assert plan.grace_seconds == 180
    world.edit(key, suspend=True)
    await world.passes(key)
    assert world.cluster.graces == [185], "the launcher outlives its algorithm"


@pytest.mark.parametrize("allowed", [False, True])
async def test_an_algorithm_is_told_what_the_environment_allows(allowed: bool) -> None:
    world = World(policy={"allowPickles": allowed, "allowRemoteCode": allowed})
    key = world.submit()
    await world.to_running(key)
    (stage,), (run,) = world.cluster.made_of(Role.STAGE), world.cluster.made_of(Role.RUN)
    assert isinstance(stage.plan, StagePlan) and stage.plan.allow_pickles is allowed
    told = {name for name in run.variables if name.startswith("POSTHUMAN_ALLOW_")}
    names = {"POSTHUMAN_ALLOW_PICKLES", "POSTHUMAN_ALLOW_REMOTE_CODE"}
    assert told == (names if allowed else set())


async def test_an_algorithm_is_started_by_its_folder() -> None:
    """A built-in's name may have a dash, which no Python package can."""
    world = World()
    key = world.submit(algorithm={"builtin": {"name": "question-answer"}})
    await world.to_running(key)
    plan = world.cluster.made_of(Role.RUN)[0].plan
    assert isinstance(plan, LaunchPlan)
    assert plan.command == ("python", "/opt/posthuman/algorithms/question_answer")


def _published(world: World, model: ModelFacts | None, right_digest: bool = True) -> None:
    """Alice's asset, with a manifest in the store that says so much of it."""
    raw = encode_manifest(Manifest(files=(), model=model))
    digest = digest_of(raw) if right_digest else "sha256:" + "c" * 64
    made = asset()
    source = msgspec.structs.replace(made.spec.source, manifest_digest=digest)
    named = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, source=source))
    stored = world.objects.create(named)
    world.objects.write_status(msgspec.structs.replace(stored, status=made.status))
    world.store.objects[f"{source.prefix}/manifest.json"] = raw


GPTJ = ModelFacts(model_type="gptj", parameter_count=6_050_882_784, dtype="bfloat16")


async def test_a_published_model_that_can_t_fit_is_refused_before_anything_is_made() -> None:
    world = World()
    _published(world, GPTJ)
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], gpusPerNode=1)
    await world.passes(key)
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, "DoesNotFit")
    assert not world.cluster.made


async def test_an_estimate_is_told_when_a_job_is_accepted_and_when_it_is_staged() -> None:
    world = World()
    _published(world, GPTJ)
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], gpusPerNode=8)
    await world.passes(key)
    told = find_condition(world.status(key).conditions, "Accepted")
    assert told is not None
    assert "accepted by environment a100; gptj with 6.05 billion parameters" in told.message
    stage = world.cluster.made_of(Role.STAGE)[0]
    assert isinstance(stage.plan, StagePlan) and stage.plan.preflight is not None
    assert stage.plan.preflight.gpu_memory_bytes == 80 * 10**9
    report = Report(reason="Completed", details={"estimate": "about 14 GB a GPU"})
    world.cluster.end(stage.name, report=report)
    await world.passes(key)
    told = find_condition(world.status(key).conditions, "Staged")
    assert told is not None and told.message.endswith("checked; about 14 GB a GPU")
    assert any("about 14 GB a GPU" in event.message for event in world.cluster.events)


async def test_a_model_that_staging_finds_too_large_is_never_tried_again() -> None:
    world = World()
    key = world.submit(retries=3)
    await world.passes(key)
    refused = Report(reason="DoesNotFit", message="too large", user_error=True)
    world.cluster.end(world.step(Role.STAGE), "Failed", report=refused, exit_code=2)
    await world.passes(key)
    assert world.status(key).outcome == "Failed"
    assert len(world.cluster.made_of(Role.STAGE)) == 1
    assert not world.cluster.made_of(Role.RUN)


async def test_a_manifest_that_is_none_is_left_to_staging() -> None:
    world = World()
    _published(world, GPTJ)
    world.store.objects[f"{asset().spec.source.prefix}/manifest.json"] = b"{"
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], gpusPerNode=1)
    await world.passes(key)
    assert world.status(key).phase is Phase.STAGING


@pytest.mark.parametrize("model", [GPTJ, None])
async def test_other_files_than_the_published_ones_tell_nothing(model: ModelFacts | None) -> None:
    """What is wrong with them staging says; they are no reason to refuse or to promise."""
    world = World()
    _published(world, model, right_digest=model is None)
    key = world.submit(inputs=[TEXT_INPUT, MODEL_INPUT], gpusPerNode=1)
    await world.passes(key)
    told = find_condition(world.status(key).conditions, "Accepted")
    assert told is not None and told.message == "accepted by environment a100"


async def test_an_owner_at_the_limit_holds_up_nobody_else() -> None:
    """Jobs wait in line for GPUs: one that can't run whatever is free must not stand in it."""
    world = World(limits={"maxJobsPerOwner": 1})
    await world.to_running(world.submit("bob-1", "00000001-1", gpusPerNode=1))
    second = world.submit("bob-2", "00000002-2", gpusPerNode=1)
    await world.passes(second)
    assert (world.status(second).phase, world.reason(second)) == (
        Phase.PENDING,
        "TooManyJobsOfOwner",
    )
    await world.to_running(world.submit("alice-1", "00000003-3", owner=ALICE, gpusPerNode=1))


async def test_one_owner_does_not_hold_every_workspace() -> None:
    world = World(limits={"maxStaged": 3, "maxJobsPerOwner": 2})
    for number in range(3):
        key = world.submit(f"bob-{number}", f"0000000{number}-1")
        await world.passes(key)
    assert (world.status(key).phase, world.reason(key)) == (Phase.PENDING, "TooManyJobsOfOwner")
    other = world.submit("alice-1", "00000009-1", owner=ALICE)
    await world.passes(other)
    assert world.status(other).phase is Phase.STAGING


async def test_running_is_not_waiting() -> None:
    """A second attempt has all of maxQueueTime, however long the first one ran."""
    world = World(limits={"maxQueueTime": "1h"})
    key = world.submit(retries=1)
    await world.to_running(key)
    world.clock.forward(7200)
    ended = world.clock.now().isoformat()
    world.cluster.end(world.step(Role.RUN), "Failed", exit_code=1, reason="Error", ended_at=ended)
    await world.passes(key)
    assert world.status(key).phase is Phase.QUEUED
    world.clock.forward(3700)
    await world.passes(key)
    assert _executed(world, key) == "QueueTimeout"


@pytest.mark.parametrize("staged", [False, True])
async def test_a_suspended_job_does_not_wait(staged: bool) -> None:
    world = World(limits={"maxQueueTime": "1h"})
    key = world.submit(suspend=not staged)
    await world.passes(key)
    if staged:
        world.cluster.end(world.step(Role.STAGE))
        world.edit(key, suspend=True)
        await world.passes(key)
    world.clock.forward(7200)
    world.edit(key, suspend=False)
    await world.passes(key)
    assert world.status(key).phase in (Phase.STAGING, Phase.QUEUED)
    assert not world.status(key).outcome


async def test_a_job_that_lost_our_finalizer_leaves_no_pods() -> None:
    """Its owner may take it off, and run on without a timeout, unbilled and uncounted."""
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.objects.set_finalizer(ComputeJob, key, False)
    world.objects.delete(ComputeJob, key)
    await world.reconciler.reconcile(key)
    assert not world.cluster.anchors


async def test_a_namesake_inherits_nothing() -> None:
    world = World()
    key = world.submit()
    await world.to_running(key)
    world.objects.set_finalizer(ComputeJob, key, False)
    world.objects.delete(ComputeJob, key)
    world.objects.set_finalizer(ComputeJob, world.submit(uid="99998888-7777"), False)
    await world.passes(key)
    assert [anchor.job_uid for anchor in world.cluster.anchors.values()] == ["99998888-7777"]


@pytest.mark.parametrize("to", [World.to_running, World.to_exporting])
async def test_a_workspace_that_somebody_deleted_ends_the_job(
    to: Callable[[World, Key], Awaitable[None]],
) -> None:
    """A work namespace that is emptied takes inputs and results along; nothing brings them back."""
    world = World()
    key = world.submit(retries=1)
    await to(world, key)
    (anchor,) = world.cluster.anchors
    await world.cluster.delete_anchor(anchor.namespace, anchor.name)
    await world.passes(key)
    assert (world.status(key).phase, world.reason(key)) == (Phase.FAILED, "WorkspaceLost")
    assert world.status(key).results is None


async def test_the_newest_export_counts_in_whatever_order_steps_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    key = world.submit()
    await world.to_exporting(key)
    away = Report(reason="StoreUnavailable", message="the store is away")
    ended = world.clock.now().isoformat()
    world.cluster.end(world.step(Role.EXPORT), "Failed", away, exit_code=1, ended_at=ended)
    await world.passes(key)
    world.clock.forward(600)
    await world.passes(key)
    listed = world.cluster.steps

    async def backwards(namespace: str, job_uid: str) -> list[StepState]:
        return list(reversed(await listed(namespace, job_uid)))

    monkeypatch.setattr(world.cluster, "steps", backwards)
    await world.export(key)
    assert world.status(key).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("name", ["3rd-generation", "7", "a" * 63, "1" * 63, "a" * 35 + "-b"])
def test_every_name_of_a_job_gives_names_that_services_may_have(name: str) -> None:
    stem = step_name(job(name), Role.RUN, 101)
    service = master_name(stem)
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", service) and len(service) <= 63


async def test_what_the_world_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    key = world.submit()
    made = world.cluster.create_step

    async def refused(anchor: Anchor, step: Step) -> None:
        raise TransientError("exceeded quota: pods=0", "QuotaExceeded")

    monkeypatch.setattr(world.cluster, "create_step", refused)
    for _ in range(5):
        try:
            await world.reconciler.reconcile(key)
        except TransientError:
            continue
    assert (world.status(key).phase, world.reason(key)) == (Phase.PENDING, "QuotaExceeded")
    written = world.cluster.writes
    with pytest.raises(TransientError):
        await world.reconciler.reconcile(key)
    assert world.cluster.writes == written
    monkeypatch.setattr(world.cluster, "create_step", made)
    await world.passes(key)
    assert world.status(key).phase is Phase.STAGING


def _executed(world: World, key: Key) -> str:
    found = [c.reason for c in world.status(key).conditions if c.type == "Executed"]
    return found[0] if found else ""
