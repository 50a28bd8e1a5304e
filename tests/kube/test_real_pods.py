"""Steps in real containers on the real cluster, and what the cluster then says of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from posthuman.api.environment import SealKind
from posthuman.api.meta import Key
from posthuman.jobs.steps import Anchor, Resources, Step, StepState
from posthuman.kube.render import Images
from posthuman.kube.resources import PODS
from tests.kube.builders import a_custom_run, a_gpu_run, an_anchor, an_environment
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, real_world

pytestmark = pytest.mark.cluster
LITTLE = Resources(cpu="100m", memory="64Mi", shared_memory="8Mi")


@pytest.fixture(scope="module")
def kubeconfig(cluster_facts: Mapping[str, str]) -> Path:
    return apply_crds(cluster_facts)


@pytest.fixture
async def world(cluster_facts: Mapping[str, str], kubeconfig: Path) -> AsyncIterator[RealWorld]:
    images = Images(
        jobkit=cluster_facts["JOBKIT_IMAGE"], algorithms=cluster_facts["ALGORITHMS_IMAGE"]
    )
    async with real_world(kubeconfig, images) as world:
        yield world


def program(script: str, image: str = "jobkit", **fields: Any) -> Step:
    """A Python program in an image of one's own, unsealed but by policy."""
    step = a_custom_run(
        environment=an_environment(SealKind.NETWORK_POLICY),
        image=image,
        command=("python", "-u", "-c"),
        args=(script,),
        resources=LITTLE,
    )
    return msgspec.structs.replace(step, **fields)


async def start(world: RealWorld, step: Step) -> Anchor:
    anchor = msgspec.structs.replace(an_anchor(namespace=world.work, uid=""), workspace_size="16Mi")
    await world.cluster.create_anchor(anchor)
    await world.cluster.create_step(anchor, step)
    return anchor


async def until(
    world: RealWorld, step: Step, holds: Callable[[StepState], bool], seconds: float = 60
) -> StepState:
    """The step's state once it is so."""
    last: StepState | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                last = await world.cluster.step(world.work, step.name)
                if last and holds(last):
                    return last
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"{step.name} never came there; it was {last}")


def ended(state: StepState) -> bool:
    return state.state in ("Succeeded", "Failed") and state.live_pods == 0


async def log_of(world: RealWorld, step: Step) -> str:
    pods = await world.client.list(PODS, world.work, f"batch.kubernetes.io/job-name={step.name}")
    name = pods["items"][0]["metadata"]["name"]
    async with world.client.stream_log(PODS, world.work, name, {}) as stream:
        return (await stream.read()).decode()


async def test_a_program_runs_to_its_end(world: RealWorld) -> None:
    step = program("print('loss 2.5')")
    await start(world, step)
    state = await until(world, step, ended)
    assert (state.state, state.exit_code, state.live_pods) == ("Succeeded", 0, 0)
    assert state.created_at <= state.started_at <= state.ended_at
    assert await log_of(world, step) == "loss 2.5\n"


LOOK_AROUND = """
import os, pathlib
def tries(action):
    try:
        action()
        return "can"
    except OSError as error:
        return type(error).__name__
print("user", os.getuid(), os.getgid(), sorted(os.getgroups()))
print("root", tries(lambda: pathlib.Path("/new").write_text("x")))
print("inputs", tries(lambda: pathlib.Path("/data/inputs/new").write_text("x")))
print("outputs", tries(lambda: pathlib.Path("/data/outputs/new").write_text("x")))
print("scratch", tries(lambda: pathlib.Path("/data/scratch/new").write_text("x")))
print("tmp", tries(lambda: pathlib.Path("/tmp/new").write_text("x")))
print("shm", tries(lambda: pathlib.Path("/dev/shm/new").write_text("x")))
print("token", os.path.exists("/var/run/secrets/kubernetes.io"))
print("capabilities", [line for line in open("/proc/self/status") if line.startswith("CapEff")])
print("seccomp", [line for line in open("/proc/self/status") if line.startswith("Seccomp:")])
print("services", any("_SERVICE_HOST" in name for name in os.environ if "KUBERNETES" not in name))
print("log", pathlib.Path("/data/logs/algorithm.log").exists())
"""


async def test_a_program_sees_what_it_may(world: RealWorld) -> None:
    step = program(LOOK_AROUND)
    await start(world, step)
    state = await until(world, step, ended)
    assert state.state == "Succeeded", state
    said = dict(line.split(" ", 1) for line in (await log_of(world, step)).splitlines())
    assert said["user"] == "65532 65532 [65532]"
    assert said["root"] == "OSError"
    assert said["inputs"] == "OSError"
    assert [said[name] for name in ("outputs", "scratch", "tmp", "shm")] == ["can"] * 4
    assert said["token"] == "False"
    assert said["capabilities"] == "['CapEff:\\t0000000000000000\\n']"
    assert said["seccomp"] == "['Seccomp:\\t2\\n']"
    assert said["services"] == "False"  # but for the API server's, which Kubernetes always names
    assert said["log"] == "True"


async def test_a_program_that_fails(world: RealWorld) -> None:
    step = program("import sys; print('ValueError: bad shape'); sys.exit(3)")
    await start(world, step)
    state = await until(world, step, ended)
    assert (state.state, state.exit_code, state.reason) == ("Failed", 3, "Error")
    assert "ValueError: bad shape" in state.message


async def test_a_program_that_takes_too_much_memory(world: RealWorld) -> None:
    step = program("x = bytearray(512 * 1024 * 1024); x[::4096] = x[::4096]")
    await start(world, step)
    state = await until(world, step, ended)
    assert (state.state, state.exit_code, state.reason) == ("Failed", 137, "OOMKilled")


async def test_an_image_that_can_not_be_pulled(world: RealWorld) -> None:
    step = program("pass", image="registry.invalid/nothing:1")
    await start(world, step)
    state = await until(world, step, lambda state: "Image" in state.reason)
    assert state.state == "Pending"
    assert state.reason in ("ErrImagePull", "ImagePullBackOff")
    assert "registry.invalid/nothing:1" in state.message


async def test_progress_is_read_while_it_runs(world: RealWorld) -> None:
    lines = '{"posthuman": "progress", "percent": %d, "step": 1, "metrics": {"loss": 2.5}}'
    step = program(
        f"import time\nprint('free text')\nprint('{lines}' % 12)\n"
        f"time.sleep(2)\nprint('{lines}' % 50)\ntime.sleep(60)"
    )
    anchor = await start(world, step)
    await until(world, step, lambda state: state.state == "Running")
    await world.settle()
    for pod in world.cache.pods.of(anchor.job_uid):
        world.progress.pod_changed(pod)
    found = await until(
        world, step, lambda state: state.progress is not None and state.progress.percent == 50
    )
    assert found.progress is not None
    assert found.progress.metrics == {"loss": 2.5}
    assert found.progress.updated_at


async def test_a_stopped_program_gets_its_grace(world: RealWorld) -> None:
    step = program(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(7)))\n"
        "print('ready'); time.sleep(60)"
    )
    await start(world, step)
    await until(world, step, lambda state: state.state == "Running")
    await world.cluster.delete_step(world.work, step.name, 20)
    state = await world.cluster.step(world.work, step.name)
    assert state is None or state.terminating
    async with asyncio.timeout(15):  # far less than the grace: it ended by itself
        while await world.cluster.step(world.work, step.name):  # noqa: ASYNC110 (no event here)
            await asyncio.sleep(0.2)


async def test_two_pods_share_a_node_and_meet_at_rank_0(world: RealWorld) -> None:
    step = program("import os; print(os.environ['JOB_COMPLETION_INDEX'])", nodes=2)
    await start(world, step)
    state = await until(world, step, ended)
    assert (state.state, state.live_pods) == ("Succeeded", 0)


async def test_two_nodes_of_eight_a100s_are_accepted(world: RealWorld) -> None:
    """No PriorityClass and RuntimeClass of that name exist here, so those two are left out."""
    step = a_gpu_run(nodes=2)
    scheduling = msgspec.structs.replace(
        step.environment.spec.scheduling, priority_class_name="", runtime_class_name=""
    )
    spec = msgspec.structs.replace(step.environment.spec, scheduling=scheduling)
    environment = msgspec.structs.replace(step.environment, spec=spec)
    step = msgspec.structs.replace(step, environment=environment)
    await start(world, step)
    state = await until(world, step, lambda state: state.reason == "Unschedulable")
    assert state.live_pods == 2
    assert await world.cluster.anchor_exists(world.work, "job-1234")
    assert (await world.cluster.step(world.work, step.name)) is not None
    assert Key(world.work, step.name) not in world.progress.latest
