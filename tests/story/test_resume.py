"""Training that is killed, or suspended, goes on from its checkpoint: on the real cluster, with the
real algorithm. Its losses, step for step, are those of a run that nobody disturbed."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from posthuman.api.meta import ANNOTATION_JOB, LABEL_ATTEMPT, LABEL_ROLE
from posthuman.cli.story.prepare import Data
from posthuman.store.upload import upload
from tests.cluster.binaries import program
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import KUBECONFIG
from tests.services.world import TENANT, World, condition
from tests.story import bodies
from tests.story.bad_jobs import builtin
from tests.story.installation import WORK_NAMESPACE
from tests.story.recorder import Body

pytestmark = pytest.mark.cluster

STEPS, DISTURBED_AT = 120, 30
PARAMETERS = {
    "steps": STEPS,
    "batchSize": 4,
    "blockLength": 64,
    "learningRate": 1e-3,
    "checkpointSteps": 10,
    "heldOutSamples": 2,
}
KILL = """
import os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    trains = b"algorithms/train" in (process / "cmdline").read_bytes()
    if trains and int(process.name) != os.getpid():
        os.kill(int(process.name), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def model(world: World, tiny: Data) -> str:
    """The tiny model as an upload of the stranger's."""
    objects = world.services.objects("s3://posthuman/tests")
    prefix, _ = asyncio.run(upload(objects, bodies.STRANGER, "tiny", tiny.model, "model"))
    return prefix


@pytest.fixture(scope="module")
def undisturbed(world: World, model: str) -> str:
    """The loss.csv of a run that nobody disturbed."""
    _submit(world, model, "undisturbed")
    return _losses(world, _succeeded(world, "undisturbed"))


@pytest.mark.usefixtures("undisturbed")
def test_a_job_says_before_it_runs_what_it_will_take(world: World) -> None:
    job = world.recorder.find("ComputeJob", TENANT, "undisturbed")
    told = condition(job, "Staged")["message"]
    assert "million parameters, AdamW in float32, without ZeRO on 1 process on CPU" in told


def test_a_killed_process_s_job_resumes(world: World, model: str, undisturbed: str) -> None:
    """SIGKILL, as the kernel's for want of memory: nothing is saved at that moment."""
    _submit(world, model, "is-killed", retries=1)
    pod = _at_step(world, "is-killed", DISTURBED_AT)
    _kill_training(pod)
    job = _succeeded(world, "is-killed")
    assert [attempt["exitCode"] for attempt in job["status"]["attempts"]] == [137, 0]
    assert _losses(world, job) == undisturbed
    assert _resumed(world, job)


def test_a_deleted_pod_s_job_resumes(world: World, model: str, undisturbed: str) -> None:
    """As when a node is lost: no grace, and no word from the pod."""
    _submit(world, model, "loses-its-pod", retries=1)
    pod = _at_step(world, "loses-its-pod", DISTURBED_AT)
    kubectl("-n", WORK_NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force")
    job = _succeeded(world, "loses-its-pod")
    assert len(job["status"]["attempts"]) == 2
    assert _losses(world, job) == undisturbed
    assert _resumed(world, job)


def test_a_suspended_job_resumes(world: World, model: str, undisturbed: str) -> None:
    """SIGTERM: the checkpoint is saved within the grace, and no retry is spent."""
    _submit(world, model, "is-suspended", retries=0)
    _at_step(world, "is-suspended", DISTURBED_AT)
    _suspend(True, "is-suspended")
    world.recorder.wait(lambda: not _pods(world, "is-suspended"), 90, "its pods to be gone")
    _suspend(False, "is-suspended")
    job = _succeeded(world, "is-suspended")
    assert [attempt.get("reason") for attempt in job["status"]["attempts"]] == [
        "Suspended",
        "Completed",
    ]
    assert _losses(world, job) == undisturbed
    assert _resumed(world, job)


def _submit(world: World, model: str, name: str, **spec: Any) -> None:
    inputs = [
        {"name": "model", "kind": "model", "upload": model},
        {"name": "text", "uri": f"http://{world.files_address}/text.jsonl"},
    ]
    train = builtin("train", inputs=inputs, parameters=PARAMETERS)
    world.apply(bodies.compute_job(TENANT, name, **train, **spec))


def _succeeded(world: World, name: str) -> Body:
    job = world.recorder.finished_job(TENANT, name, timeout_seconds=300)
    assert job["status"]["phase"] == "Succeeded", condition(job, "Succeeded")
    return job


def _losses(world: World, job: Body) -> str:
    return world.result(job, "loss.csv").decode()


def _resumed(world: World, job: Body) -> bool:
    """The second attempt's first progress is beyond the first step, so it began where the first
    one had saved."""
    said = world.result(job, "logs/algorithm.log").decode().splitlines()
    steps = [step for line in said if (step := _step_in(line)) is not None]
    restarts = [after for before, after in itertools.pairwise(steps) if after <= before]
    return all(step > 1 for step in restarts) and steps[-1] == STEPS


def _at_step(world: World, name: str, step: int) -> str:
    """The name of the job's worker pod, once it has come so far."""
    world.recorder.wait(lambda: bool(_pods(world, name, "Running")), 120, f"{name} to run")
    (pod,) = _pods(world, name, "Running")
    assert any((told := _step_in(line)) and told >= step for line in _log_lines(pod)), "it ended"
    return pod


def _kill_training(pod: str) -> None:
    """With it the container ends, and this command in it: its exit code says nothing."""
    inside = ["exec", pod, "-c", "run", "--", "python", "-c", KILL]
    subprocess.run([*_kubectl(), *inside], capture_output=True, check=False)


def _log_lines(pod: str) -> Iterator[str]:
    """As they come."""
    with subprocess.Popen(
        [*_kubectl(), "logs", "--follow", "-c", "run", pod], stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        try:
            yield from follower.stdout
        finally:
            follower.terminate()


def _kubectl() -> list[str]:
    """In the work namespace."""
    return [str(program("kubectl")), "--kubeconfig", str(KUBECONFIG), "-n", WORK_NAMESPACE]


def _step_in(line: str) -> int | None:
    """Of a progress line."""
    if not line.startswith('{"posthuman": "progress"') and '"posthuman":"progress"' not in line:
        return None
    told: Mapping[str, Any] = json.loads(line)
    return int(told["step"])


def _pods(world: World, name: str, phase: str = "") -> list[str]:
    """The job's worker pods, by name."""
    return [
        pod["metadata"]["name"]
        for pod in world.recorder.present("Pod")
        if pod["metadata"].get("annotations", {}).get(ANNOTATION_JOB) == f"{TENANT}/{name}"
        and pod["metadata"]["labels"].get(LABEL_ROLE) == "run"
        and LABEL_ATTEMPT in pod["metadata"]["labels"]
        and phase in ("", pod["status"].get("phase"))
    ]


def _suspend(suspend: bool, name: str) -> None:
    patch = json.dumps({"spec": {"suspend": suspend}})
    kubectl("-n", TENANT, "patch", "computejob", name, "--type=merge", "-p", patch)
