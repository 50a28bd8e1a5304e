"""A run that is killed at any moment ends as if nothing had happened: with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.algorithms.conftest import ALGORITHMS, Ended, Run, command_line, report_of
from tests.algorithms.test_train import digest, losses

pytestmark = pytest.mark.models
STEPS = 150
LONG = {
    "steps": STEPS,
    "batchSize": 4,
    "blockLength": 32,
    "learningRate": 0.005,
    "checkpointSteps": 10,
    "heldOutSamples": 2,
    "seed": 3,
}


@pytest.fixture(scope="module")
def dropping_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With dropout, so that a resumed run has to make the same random choices."""
    folder = tmp_path_factory.mktemp("dropping") / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.2}))
    return folder


def inputs(model: Path, corpus: Path, outputs: Path) -> dict[str, Path]:
    return {"model": model, "data": corpus, "outputs": outputs}


@contextmanager
def started(
    options: Mapping[str, Any], parameters: Mapping[str, Any] = LONG, ranks: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """The real command as jobkit starts it, in a session of its own."""
    program = [sys.executable, str(ALGORITHMS / "train")]
    if ranks > 1:
        elastic = ["-m", "jobkit.elastic", "--standalone", f"--nproc-per-node={ranks}"]
        program = [sys.executable, *elastic, str(ALGORITHMS / "train")]
    process = subprocess.Popen(
        [*program, *command_line(parameters, options)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout and not process.stdout.closed:
            process.stdout.close()


def wait_for_checkpoints(outputs: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until so many are written; then the process is in the middle of some later step."""
    folder = outputs.with_name(f"{outputs.name}.scratch") / "checkpoints"
    deadline = time.monotonic() + 90
    while len(list(folder.glob("step-*/manifest.json"))) < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint in 90 s"
        time.sleep(0.005)


def newest_checkpoint(outputs: Path) -> Path:
    folder = outputs.with_name(f"{outputs.name}.scratch") / "checkpoints"
    return max(folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))


@pytest.fixture(scope="module")
def undisturbed(
    dropping_model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The outputs of one run from beginning to end."""
    outputs = tmp_path_factory.mktemp("undisturbed") / "out"
    with started(inputs(dropping_model, corpus, outputs)) as process:
        process.communicate()
        assert process.returncode == 0
    return outputs


def assert_same(outputs: Path, undisturbed: Path) -> None:
    assert losses(outputs) == losses(undisturbed)
    assert digest(outputs) == digest(undisturbed)
    for metric in ("heldOutLossBefore", "heldOutLossAfter"):
        assert report_of(outputs)["metrics"][metric] == report_of(undisturbed)["metrics"][metric]
    assert not newest_folder(outputs).exists()


def newest_folder(outputs: Path) -> Path:
    return outputs.with_name(f"{outputs.name}.scratch") / "checkpoints"


def resumed_at(ended: Ended) -> int:
    [line] = [line for line in ended.output.splitlines() if line.startswith("Going on from")]
    return int(line.removesuffix(".").rpartition(" ")[2])


def test_a_killed_run_ends_as_an_undisturbed_one(
    run: Run, dropping_model: Path, corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Other parameters are refused; and its newest checkpoint gets damaged too."""
    outputs = tmp_path / "out"
    options = inputs(dropping_model, corpus, outputs)
    with started(options) as process:
        wait_for_checkpoints(outputs, 2, process)
        os.killpg(process.pid, signal.SIGKILL)
    refused = run("train", {**LONG, "learningRate": 0.001}, **options)
    assert (refused.code, refused.failure.reason) == (20, "CheckpointMismatch")
    assert "learningRate was 0.005, now 0.001" in refused.failure.message
    newest = newest_checkpoint(outputs)
    os.truncate(newest / "optimizer.safetensors", 5000)
    ended = run("train", LONG, **options)
    assert ended.code == 0
    assert f"{newest.name} is damaged" in ended.output
    assert 0 < resumed_at(ended) < int(newest.name.removeprefix("step-"))
    assert_same(outputs, undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_means_checkpoint_and_its_exit_code(
    run: Run,
    dropping_model: Path,
    corpus: Path,
    undisturbed: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    """It stops after the step it is in, not after the next one that would be saved anyway."""
    outputs = tmp_path / "out"
    options = inputs(dropping_model, corpus, outputs)
    rarely = {**LONG, "checkpointSteps": 40}
    with started(options, rarely) as process:
        wait_for_checkpoints(outputs, 1, process)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == code
    assert 40 < int(newest_checkpoint(outputs).name.removeprefix("step-")) < STEPS
    assert not (outputs / "model").exists()
    ended = run("train", LONG, **options)  # how often is saved may change
    assert resumed_at(ended) > 40
    assert_same(outputs, undisturbed)


def test_a_killed_rank_ends_all_and_they_resume(
    run: Run, dropping_model: Path, corpus: Path, tmp_path: Path
) -> None:
    """Two ranks; one dies. Both go on from what both saved; then one rank alone does."""
    outputs, whole = tmp_path / "out", tmp_path / "whole"
    options = inputs(dropping_model, corpus, outputs)
    with started(inputs(dropping_model, corpus, whole), ranks=2) as process:
        process.communicate()
    with started(options, ranks=2) as process:
        wait_for_checkpoints(outputs, 1, process)
        os.kill(rank_of(process), signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == 137
    shutil.copytree(tmp_path / "out.scratch", tmp_path / "alone.scratch")
    with started(options, ranks=2) as process:
        output, _ = process.communicate()
        assert process.returncode == 0
    assert resumed_at(Ended(0, output)) > 0
    assert_same(outputs, whole)
    alone = run("train", LONG, **inputs(dropping_model, corpus, tmp_path / "alone"))
    assert resumed_at(alone) == resumed_at(Ended(0, output))
    until = resumed_at(alone)
    assert losses(tmp_path / "alone")[:until] == losses(whole)[:until]


def rank_of(process: subprocess.Popen[str]) -> int:
    """The last of the launcher's own children that is a rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[-1])


def test_sigterm_to_two_ranks_stops_both_after_the_same_step(
    dropping_model: Path, corpus: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "out"
    rarely = {**LONG, "checkpointSteps": 40}
    options = inputs(dropping_model, corpus, outputs)
    with started(options, rarely, ranks=2) as process:
        wait_for_checkpoints(outputs, 1, process)
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 143
    manifest = json.loads((newest_checkpoint(outputs) / "manifest.json").read_text())
    assert manifest["step"] > 40
    assert manifest["identity"]["worldSize"] == 2
