"""Progress and failure lines: in the operator's format, and not too many."""

from __future__ import annotations

import pytest

from algorithms.shared.failures import announce
from algorithms.shared.progress import Progress
from jobkit.progress import FailureLine, ProgressLine, parse_line


def test_a_line_says_step_percent_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([100.0, 110.0])
    Progress(40, clock=lambda: next(times)).report(10, {"loss": 2.5})
    assert parse_line(capsys.readouterr().out) == ProgressLine(
        percent=25.0, step=10, total_steps=40, eta_seconds=30.0, metrics={"loss": 2.5}
    )


def test_what_is_left_is_told_by_this_attempts_own_speed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([100.0, 100.0, 110.0])
    progress = Progress(40, interval_seconds=0, clock=lambda: next(times), done_steps=20)
    for step in (20, 30):
        progress.report(step, {})
    lines = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.eta_seconds for line in lines if isinstance(line, ProgressLine)] == [None, 10.0]


def test_one_line_a_second_and_always_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress(100, clock=lambda: now[0])
    for step in range(1, 101):
        now[0] = step * 0.03
        progress.report(step, {})
    lines = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.step for line in lines if isinstance(line, ProgressLine)] == [1, 35, 69, 100]


def test_other_ranks_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(1, enabled=False).report(1, {})
    assert capsys.readouterr().out == ""


def test_a_failure_line_fits_into_one_write_to_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    announce("BadModel", "why\n" * 5000, user_error=True)
    [line] = capsys.readouterr().out.splitlines()
    assert len(line) < 4096
    failure = parse_line(line)
    assert isinstance(failure, FailureLine)
    assert failure.reason == "BadModel"
