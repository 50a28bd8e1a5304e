"""The shell that keeps a custom image's output, run for real."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from posthuman.kube.containers import KEEP_OUTPUT


def start(log: Path, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", "-c", KEEP_OUTPUT, "sh", "/bin/sh", "-c", script],
        env={**os.environ, "LOG_FILE": str(log)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("code", [0, 1, 42])
def test_output_is_kept_and_the_exit_code_is_the_algorithm_s(tmp_path: Path, code: int) -> None:
    process = start(tmp_path / "log", f"echo loss 2.5; echo oops >&2; exit {code}")
    output, _ = process.communicate(timeout=10)
    assert process.returncode == code
    assert output == "loss 2.5\noops\n"
    assert (tmp_path / "log").read_text() == output


def test_arguments_pass_unchanged(tmp_path: Path) -> None:
    process = subprocess.run(
        ["/bin/sh", "-c", KEEP_OUTPUT, "sh", "printf", "%s|", "a b", "$HOME", "*"],
        env={**os.environ, "LOG_FILE": str(tmp_path / "log")},
        stdout=subprocess.PIPE,
        text=True,
        timeout=10,
        check=True,
    )
    assert process.stdout == "a b|$HOME|*|"


def test_sigterm_reaches_the_algorithm_which_ends_in_its_own_way(tmp_path: Path) -> None:
    script = "trap 'echo saved; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    process = start(tmp_path / "log", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert output == "saved\n"
    assert process.returncode == 7
