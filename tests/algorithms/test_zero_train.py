"""The train command with ZeRO and with tensor parallelism: real processes, kills, two nodes."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobkit.plan import LaunchPlan
from tests.algorithms.conftest import Run, command_line, run_process
from tests.algorithms.engine_runs import PROGRAM, alone, environment, tiny_llama
from tests.algorithms.test_resume import (
    assert_same,
    inputs,
    rank_of,
    resumed_at,
    started,
    wait_for_checkpoints,
)
from tests.algorithms.test_train import losses
from tests.jobkit.running import ended, start

pytestmark = pytest.mark.models
STEPS, CLIP = 16, 0.5
TOLERANCE = 1e-5  # relative: float32 sums in another order, over 16 steps
PARAMETERS: dict[str, Any] = {
    "steps": STEPS,
    "batchSize": 4,
    "blockLength": 32,
    "learningRate": 0.005,
    "heldOutSamples": 2,
    "seed": 3,
}


@pytest.fixture(scope="module")
def single(tiny_model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of one process, without ZeRO."""
    outputs = tmp_path_factory.mktemp("single") / "out"
    line = command_line({**PARAMETERS, "zero": 0}, inputs(tiny_model, corpus, outputs))
    assert run_process("train", line).code == 0
    return outputs


def assert_near(outputs: Path, single: Path) -> None:
    assert losses(outputs) == pytest.approx(losses(single), rel=TOLERANCE)
    ours, theirs = (load_file(one / "model" / "model.safetensors") for one in (outputs, single))
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=1e-3, atol=1e-4)


def test_killed_ranks_resume_and_end_as_undisturbed_ones(
    tiny_model: Path, corpus: Path, single: Path, tmp_path: Path
) -> None:
    """ZeRO-3. The checkpoint of two ranks is refused by one, in words."""
    parameters = {**PARAMETERS, "zero": 3, "checkpointSteps": 4, "gradientCheckpointing": True}
    outputs, whole = tmp_path / "out", tmp_path / "whole"
    options = inputs(tiny_model, corpus, outputs)
    with started(inputs(tiny_model, corpus, whole), parameters, ranks=2) as process:
        process.communicate()
        assert process.returncode == 0
    assert_near(whole, single)
    with started(options, parameters, ranks=2) as process:
        wait_for_checkpoints(outputs, 1, process)
        os.kill(rank_of(process), signal.SIGKILL)
        process.communicate(timeout=60)
    refused = run_process("train", command_line(parameters, options))
    assert (refused.code, refused.failure.reason) == (20, "CheckpointMismatch")
    assert "2" in refused.failure.message
    resumed = run_process("train", command_line(parameters, options), ranks=2)
    assert resumed.code == 0
    assert resumed_at(resumed) > 0
    assert_same(outputs, whole)


def test_two_ranks_compute_one_model(
    tiny_model: Path, corpus: Path, single: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "out"
    line = command_line({**PARAMETERS, "tensorParallel": 2}, inputs(tiny_model, corpus, outputs))
    assert run_process("train", line, ranks=2).code == 0
    assert_near(outputs, single)
    config = json.loads((outputs / "model" / "config.json").read_text())
    assert "distributed_config" not in config


def test_weights_in_the_nodes_memory_need_stage_3(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    wrong = {**PARAMETERS, "zero": 2, "offload": "all"}
    refused = run("train", wrong, **inputs(tiny_model, corpus, tmp_path / "out"))
    assert (refused.code, refused.failure.reason) == (10, "BadParameter")
    assert "offload: all needs zero 3, not 2" in refused.failure.message


def test_two_nodes_of_one_rank_each(tmp_path: Path) -> None:
    """Every stage, started on both nodes as in a pod: the losses of one process."""
    model = tiny_llama(tmp_path / "llama")
    scenarios = [
        {"model": str(model), "stage": stage, "steps": [0, 3], "clip": CLIP} for stage in (1, 2, 3)
    ]
    plan, results = tmp_path / "plan.json", tmp_path / "results.json"
    plan.write_text(json.dumps(scenarios))
    _on_two_nodes((sys.executable, str(PROGRAM), str(plan), str(results)), tmp_path)
    expected = alone(model, 3, CLIP)
    for ran in json.loads(results.read_text()):
        assert ran["losses"] == pytest.approx(expected["losses"], rel=2e-6)
        assert ran["norms"] == pytest.approx(expected["norms"], rel=2e-6)


def _on_two_nodes(command: tuple[str, ...], folder: Path) -> None:
    plan = LaunchPlan(
        command=command,
        log_file=f"{folder}/algorithm.log",
        nodes=2,
        processes_per_node=1,
        master_address="127.0.0.1",
        master_port=20_000 + os.getpid() % 10_000,
    )
    folders = [folder / "node-0", folder / "node-1"]
    processes = []
    for rank, own in enumerate(folders):
        own.mkdir()
        place = {"JOB_COMPLETION_INDEX": str(rank), "POD_IP": "127.0.0.1"}
        processes.append(start("launch", plan, own, environment(**place)))
    for process, own in zip(processes, folders, strict=True):
        done = ended(process, own)
        assert done.exit_code == 0, done.output
