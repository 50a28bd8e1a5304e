"""A run that is broken off, however that happens, leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import a_job
from tests.local.observing import processes_that_name, until

INTERRUPTED = 130
START_SECONDS = 90.0  # of imports, a chain and two steps on a busy machine
PUBLISH = {"name": "A tiny model", "description": "Never gets that far."}


class Run:
    """`posthuman run` as a program, in a process group of its own as a shell makes it."""

    def __init__(self, folder: Path, algorithms: Path, job: dict[str, object]) -> None:
        self.workdir = folder / "work"
        manifest = folder / "job.yaml"
        manifest.write_text(yaml.safe_dump(job))
        command = [sys.executable, "-m", "posthuman.cli", "run", str(manifest)]
        paths = {"PYTHONPATH": os.pathsep.join(sys.path), "POSTHUMAN_ALGORITHMS": str(algorithms)}
        self.process = subprocess.Popen(
            [*command, "--workdir", str(self.workdir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, **paths},
        )

    def until_it_runs(self) -> None:
        """The algorithm has told its progress."""

        def running() -> bool:
            assert self.process.poll() is None, self.process.communicate()[0]
            return any(
                "progress" in log.read_text()
                for log in self.workdir.glob("jobs/default/tries/steps/*-run-1-0.log")
            )

        until(running, START_SECONDS)

    def left(self) -> list[int]:
        """Processes that still work in the folder."""
        return [pid for pid in processes_that_name(str(self.workdir)) if pid != self.process.pid]


@pytest.fixture(params=[{}, pytest.param({"publish": PUBLISH}, marks=pytest.mark.chain)])
def run(request: pytest.FixtureRequest, tmp_path: Path, algorithms: Path) -> Iterator[Run]:
    """A job that stays, without a chain and with one."""
    run = Run(tmp_path, algorithms, a_job("stays", **request.param))
    run.until_it_runs()
    yield run
    run.process.kill()
    run.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order(run: Run, number: signal.Signals) -> None:
    assert run.left()
    run.process.send_signal(number)
    said = run.process.communicate(timeout=60)[0]
    assert run.process.returncode == INTERRUPTED, said
    assert "Traceback" not in said
    assert not run.left()


def test_ctrl_c_reaches_the_whole_group_as_in_a_terminal(run: Run) -> None:
    os.killpg(run.process.pid, signal.SIGINT)
    run.process.communicate(timeout=60)
    assert run.process.returncode == INTERRUPTED
    assert not run.left()


def test_even_a_sigkill_leaves_nothing(run: Run) -> None:
    run.process.kill()
    run.process.wait()
    until(lambda: not run.left(), 30)


def test_sigterm_ends_a_run_in_a_scripts_background(tmp_path: Path, algorithms: Path) -> None:
    """There a shell has SIGINT ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = Run(tmp_path, algorithms, a_job("stays"))
    finally:
        signal.signal(signal.SIGINT, before)
    run.until_it_runs()
    run.process.terminate()
    try:
        run.process.communicate(timeout=60)
    finally:
        run.process.kill()
    assert run.process.returncode == INTERRUPTED
    assert not run.left()
