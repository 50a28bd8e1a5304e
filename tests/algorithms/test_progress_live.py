"""A person at a terminal sees one line that moves, and no JSON; a pipe gets its lines as ever."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from algorithms.shared.live_line import sentence
from jobkit.progress import ProgressLine, parse_line

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from algorithms.shared.progress import Progress
progress = Progress(40, interval_seconds=0)
for step in (10, 20, 40):
    progress.report(step, {"loss": 2.5, "tokensPerSecond": 1234.0})
    print("free text", step)
print("rich" in sys.modules)
"""


def at_a_terminal(stdout: int | None) -> tuple[str, str]:
    """What the terminal shows, and what a pipe in stdout's place got (if there is one)."""
    terminal, side = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=side,
        stdout=side if stdout is None else stdout,
        stderr=side,
        env=environment,
    ) as process:
        os.close(side)
        piped = process.stdout.read().decode() if process.stdout else ""
        return _all_of(terminal), piped


def _all_of(terminal: int) -> str:
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other side has closed: how Linux ends a pseudo-terminal
            part = b""
        if not part:
            os.close(terminal)
            return shown.decode()
        shown += part


def test_a_person_sees_one_line_and_no_json() -> None:
    shown, _ = at_a_terminal(stdout=None)
    assert "step 10/40 · loss 2.5 · 1,234 tokens/s" in shown
    assert "100 %" in shown
    assert "posthuman" not in shown
    assert all(f"free text {step}" in shown for step in (10, 20, 40))
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor comes back


def test_a_pipe_beside_a_terminal_gets_its_lines() -> None:
    shown, piped = at_a_terminal(stdout=subprocess.PIPE)
    lines = [parse_line(line) for line in piped.splitlines()]
    assert [line.step for line in lines if isinstance(line, ProgressLine)] == [10, 20, 40]
    assert "step 20/40" in shown
    assert "free text" not in shown


def test_without_a_terminal_nothing_is_imported_for_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("step", "eta", "metrics", "expected"),
    [
        (0, None, {}, "step 0/40"),
        (1, 59.6, {}, "step 1/40 · 1 min 00 s left"),
        (40, 0.0, {"loss": 1.23456}, "step 40/40 · loss 1.235"),
    ],
)
def test_the_line_says_what_is_known(
    step: int, eta: float | None, metrics: dict[str, float], expected: str
) -> None:
    assert sentence(step, 40, eta, metrics) == expected
