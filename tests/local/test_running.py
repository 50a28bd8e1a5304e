"""A step on this machine, seen as an API server would tell it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from jobkit.plan import LaunchPlan
from jobkit.report import Report
from posthuman.api.environment import ComputeEnvironment, EnvironmentSpec, StoreSpec
from posthuman.api.meta import Key, Meta
from posthuman.jobs.steps import Anchor, Network, Resources, Role, Step
from posthuman.local.running import Program, RunningStep
from tests.local.observing import alive, processes_that_name, until

STEP = Step(
    name="run-1",
    role=Role.RUN,
    attempt=1,
    image="algorithms",
    plan=LaunchPlan(command=("python", "train")),
    resources=Resources(cpu="1", memory="1Gi"),
    mounts=(),
    network=Network.PEERS,
    environment=ComputeEnvironment(
        metadata=Meta(name="laptop"),
        spec=EnvironmentSpec(work_namespace="work", store=StoreSpec(url="file:///store")),
    ),
    nodes=2,
)
ANCHOR = Anchor(namespace="work", name="job", job=Key("bob", "job"), job_uid="uid")
STAY = "import time; time.sleep(600)"

Start = Callable[..., Awaitable[RunningStep]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a step with one Python program a node; ends what still runs."""
    steps: list[RunningStep] = []

    async def starter(*codes: str, wake: Callable[[], None] = lambda: None) -> RunningStep:
        step = RunningStep(msgspec.structs.replace(STEP, nodes=len(codes)), ANCHOR, wake)
        steps.append(step)
        programs = []
        for index, code in enumerate(codes):
            report = tmp_path / f"{index}.json"
            command = (sys.executable, "-c", code)
            log = tmp_path / f"{index}.log"
            variables = {"REPORT": str(report)}
            programs.append(
                Program(
                    command=command, variables=variables, folder=tmp_path, log=log, report=report
                )
            )
        await step.start(programs)
        return step

    yield starter
    for step in steps:
        step.terminate(0)
        await step.ended()


async def test_success_has_a_code_times_and_a_report(start: Start) -> None:
    told = msgspec.json.encode(Report(reason="Completed")).decode()
    step = await start(f"import os; open(os.environ['REPORT'], 'w').write({told!r})")
    await step.ended()
    seen = step.state()
    assert (seen.state, seen.exit_code, seen.live_pods) == ("Succeeded", 0, 0)
    assert seen.report == Report(reason="Completed")
    assert seen.created_at <= seen.started_at <= seen.ended_at


async def test_a_running_step_has_live_processes_and_no_end(start: Start) -> None:
    seen = (await start(STAY, STAY)).state()
    assert (seen.state, seen.live_pods, seen.exit_code, seen.ended_at) == ("Running", 2, None, "")


async def test_the_first_failing_node_ends_the_others_and_is_the_reason(start: Start) -> None:
    told = msgspec.json.encode(Report(reason="EmptyDataset", user_error=True)).decode()
    fails = f"import os; open(os.environ['REPORT'], 'w').write({told!r}); exit(3)"
    step = await start(STAY, fails)
    await step.ended()
    seen = step.state()
    assert (seen.state, seen.exit_code, seen.live_pods) == ("Failed", 3, 0)
    assert seen.report is not None
    assert seen.report.reason == "EmptyDataset"


async def test_a_killed_process_says_so(start: Start) -> None:
    step = await start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    await step.ended()
    seen = step.state()
    assert (seen.state, seen.exit_code, seen.reason) == ("Failed", 137, "Killed")
    assert "memory" in seen.message


async def test_deleting_ends_every_process(start: Start, tmp_path: Path) -> None:
    step = await start(STAY, STAY)
    here = str(tmp_path)
    await asyncio.to_thread(until, lambda: len(processes_that_name(here)) == 4)
    pids = processes_that_name(here)  # a guard and its program, for each node
    step.terminate(grace_seconds=0.2)
    assert step.state().terminating
    await step.ended()
    assert not any(map(alive, pids))
    assert step.state().reason == ""  # we ended it, nobody else


async def test_progress_of_rank_0_is_told_at_once_and_then_seldom(start: Start) -> None:
    wakes: list[float] = []
    loop = asyncio.get_running_loop()
    seen_first = asyncio.Event()

    def wake() -> None:
        wakes.append(loop.time())
        seen_first.set()

    lines = [
        json.dumps({"posthuman": "progress", "percent": float(n), "step": n}) for n in range(1, 101)
    ]
    told = "\n".join(lines)
    loud = f"import time; print('hello'); print({told!r}, flush=True); time.sleep(600)"
    step = await start(loud, f"print({lines[49]!r}); {STAY}", wake=wake)
    await asyncio.wait_for(seen_first.wait(), 20)
    progress = step.state().progress
    assert progress is not None
    assert (progress.percent, progress.step) == (100.0, 100)
    assert progress.updated_at
    assert len(wakes) <= 2  # a hundred lines; at most one wake a second


async def test_a_program_that_isnt_there_fails_with_its_name_in_the_log(
    start: Start, tmp_path: Path
) -> None:
    step = RunningStep(STEP, ANCHOR, lambda: None)
    missing = Program(
        command=(str(tmp_path / "no-such-program"),),
        variables=dict(os.environ),
        folder=tmp_path,
        log=tmp_path / "log",
        report=tmp_path / "report",
    )
    await step.start([missing])
    await step.ended()
    assert step.state().state == "Failed"
    assert "no-such-program" in (tmp_path / "log").read_text()
