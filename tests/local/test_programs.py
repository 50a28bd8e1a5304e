"""What a step becomes on this machine: paths rewritten, environments minimal, images refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobkit.plan import LaunchPlan, StagePlan, Store, UriPolicy
from posthuman.api.environment import ComputeEnvironment, EnvironmentSpec, StoreSpec
from posthuman.api.meta import Key, Meta
from posthuman.errors import UserError
from posthuman.jobs.steps import Mount, Network, Resources, Role, Step
from posthuman.local.layout import JobLayout, layout_of
from posthuman.local.programs import Machine, programs_of

ENVIRONMENT = ComputeEnvironment(
    metadata=Meta(name="laptop"),
    spec=EnvironmentSpec(work_namespace="work", store=StoreSpec(url="file:///store")),
)
STAGE = StagePlan(store=Store(url="file:///store"), inputs=(), uri_policy=UriPolicy())
LAUNCH = LaunchPlan(command=("python", "/opt/posthuman/algorithms/train", "--fast"))
MACHINE = Machine(algorithms=Path("/checkout/algorithms"), cores=4)


def step(**changes: Any) -> Step:
    run = Step(
        name="bob-trains-run-1",
        role=Role.RUN,
        attempt=1,
        image="algorithms",
        plan=LAUNCH,
        resources=Resources(cpu="1", memory="1Gi"),
        mounts=(
            Mount(folder="inputs", path="/data/inputs", read_only=True),
            Mount(folder="logs", path="/data/logs"),
        ),
        network=Network.PEERS,
        environment=ENVIRONMENT,
        variables={
            "INPUTS": "/data/inputs",
            "DIDS": '["did:op:1"]',
            "POSTHUMAN_INPUTS": '{"model": "/data/inputs/model"}',
        },
    )
    return msgspec.structs.replace(run, **changes)


@pytest.fixture
def layout(tmp_path: Path) -> JobLayout:
    return layout_of(tmp_path, Key("bob", "bob-trains"))


def plan_of(layout: JobLayout, name: str, index: int = 0) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(layout.of_node(name, index, "plan.json").read_bytes())
    return plan


def test_paths_of_plan_command_and_variables_lie_in_the_jobs_folder(layout: JobLayout) -> None:
    [program] = programs_of(step(), layout, MACHINE, {})
    inputs = str(layout.workspace / "inputs")
    assert program.variables["INPUTS"] == inputs
    assert json.loads(program.variables["POSTHUMAN_INPUTS"]) == {"model": f"{inputs}/model"}
    assert json.loads(program.variables["DIDS"]) == ["did:op:1"]
    plan = plan_of(layout, "bob-trains-run-1")
    assert plan["command"] == [sys.executable, "/checkout/algorithms/train", "--fast"]
    assert plan["logFile"] == str(layout.workspace / "logs" / "algorithm.log")


def test_a_stage_plan_sees_the_whole_workspace(layout: JobLayout) -> None:
    mounts = (Mount(folder="", path="/workspace"),)
    stage = step(role=Role.STAGE, image="jobkit", plan=STAGE, mounts=mounts, name="s")
    [program] = programs_of(stage, layout, MACHINE, {})
    assert program.command[-1] == "fetch"
    assert plan_of(layout, "s")["inputsDir"] == str(layout.workspace / "inputs")
    assert plan_of(layout, "s")["stagedFile"] == str(layout.workspace / "staged.json")


def test_a_plan_path_outside_all_mounts_is_refused(layout: JobLayout) -> None:
    with pytest.raises(UserError, match=r"/data/logs/algorithm\.log"):
        programs_of(step(mounts=()), layout, MACHINE, {})


def test_two_nodes_meet_on_this_machine_and_share_its_cores(layout: JobLayout) -> None:
    plan = msgspec.structs.replace(LAUNCH, nodes=2, processes_per_node=1)
    programs = programs_of(step(plan=plan, nodes=2), layout, MACHINE, {})
    assert [p.variables["JOB_COMPLETION_INDEX"] for p in programs] == ["0", "1"]
    assert {p.variables["POD_IP"] for p in programs} == {"127.0.0.1"}
    assert {p.variables["OMP_NUM_THREADS"] for p in programs} == {"2"}
    plans = [plan_of(layout, "bob-trains-run-1", index) for index in (0, 1)]
    assert {p["masterAddress"] for p in plans} == {"127.0.0.1"}
    assert len({p["masterPort"] for p in plans}) == 1


def test_the_users_own_environment_stays_outside(
    layout: JobLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    monkeypatch.setenv("HF_TOKEN", "the user's own")
    [program] = programs_of(step(), layout, MACHINE, {"AWS_ACCESS_KEY_ID": "the store's"})
    assert "the user's own" not in program.variables.values()
    assert program.variables["AWS_ACCESS_KEY_ID"] == "the store's"
    assert program.variables["HOME"] == str(layout.home)
    assert program.variables["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    "custom",
    [{"image": "ghcr.io/bob/train@sha256:00"}, {"plan": None}, {"command": ("/bin/train",)}],
)
def test_container_images_are_refused_with_what_to_do(
    layout: JobLayout, custom: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="can't run container images: name a built-in"):
        programs_of(step(**custom), layout, MACHINE, {})
