"""The command line: whatever happens, a report is left and the exit code says whose fault it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobkit.errors import UserFault, WorldFault
from jobkit.meter import MEBIBYTE, Meter
from jobkit.plan import LaunchPlan, StageInput
from jobkit.report import MAX_REPORT_BYTES
from jobkit.staged import MAX_DETAILS_BYTES, Staged, StagedInput, details_of
from jobkit.tasks import together
from tests.jobkit.http_server import serving
from tests.jobkit.plans import stage_plan
from tests.jobkit.running import OPERATOR, ended, run, start


def test_an_unknown_subcommand_gets_the_usage() -> None:
    variables = {**os.environ, "PYTHONPATH": str(OPERATOR)}
    done = subprocess.run(
        [sys.executable, "-m", "jobkit", "dance"], env=variables, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "fetch|launch|export|seal" in done.stderr


def test_a_plan_of_another_kind_is_refused_without_a_trace(tmp_path: Path) -> None:
    done = run("fetch", LaunchPlan(command=("x",)), tmp_path)
    assert (done.exit_code, done.report.reason) == (2, "PlanInvalid")
    assert "Traceback" not in done.output


def test_the_users_mistake_ends_with_code_2_and_no_trace(tmp_path: Path) -> None:
    wrong = StageInput(name="text", kind="dataset", uri="gopher://x/y")
    done = run("fetch", stage_plan(tmp_path, [wrong]), tmp_path)
    assert (done.exit_code, done.report.reason, done.report.user_error) == (2, "UriRefused", True)
    assert "Traceback" not in done.output
    assert done.report.message in done.output


def test_the_worlds_fault_ends_with_code_1(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    done = run("fetch", stage_plan(tmp_path, []), tmp_path)
    assert (done.exit_code, done.report.user_error) == (1, False)
    assert done.report.reason == "StoreUnavailable"


def test_a_bug_of_ours_leaves_a_trace_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jobkit import __main__ as entry

    monkeypatch.setenv("JOBKIT_TERMINATION_LOG", str(tmp_path / "report"))
    monkeypatch.setitem(entry.COMMANDS, "seal", lambda: (1 // 0, None))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert entry.main(["seal"]) == 1
    assert "InternalError" in (tmp_path / "report").read_text()
    assert "ZeroDivisionError" in capsys.readouterr().err


async def test_sigterm_ends_a_download_with_a_report(tmp_path: Path) -> None:
    async with serving({}) as server:
        server.statuses = [503] * 1000
        uri = StageInput(name="text", kind="dataset", uri=server.url("f"))
        process = start("fetch", stage_plan(tmp_path, [uri]), tmp_path)
        await server.asked.wait()
        process.send_signal(signal.SIGTERM)
        done = ended(process, tmp_path)
    assert (done.exit_code, done.report.reason) == (143, "Terminated")


async def test_together_raises_the_fault_itself_and_stops_the_rest() -> None:
    reached = []

    async def fails() -> None:
        raise UserFault("Wrong", "wrong")

    async def goes_on() -> None:
        import asyncio

        await asyncio.Event().wait()
        reached.append(True)

    with pytest.raises(UserFault, match="wrong"):
        await together([goes_on(), fails()])
    assert reached == []


async def test_together_nested_still_names_the_fault() -> None:
    async def fails() -> None:
        raise WorldFault("Down", "down")

    with pytest.raises(WorldFault, match="down"):
        await together([together([fails(), fails()])])


def staged(count: int) -> Staged:
    entry = StagedInput(name="a" * 60, kind="dataset", path="/x", files=1, bytes=5, sha256="f" * 64)
    return Staged(inputs=(entry,) * count)


@pytest.mark.parametrize(("count", "whole"), [(3, True), (18, False)])
def test_details_keep_what_fits(count: int, whole: bool) -> None:
    entries = details_of(staged(count))["inputs"]
    assert len(entries) == count
    assert entries[0]["sha256"] == "f" * 64
    assert ("path" in entries[0]) is whole


def test_details_of_very_many_inputs_are_sums() -> None:
    assert details_of(staged(100)) == {"inputCount": 100, "bytes": 500}
    assert MAX_DETAILS_BYTES < MAX_REPORT_BYTES


def test_the_meter_says_how_far_it_is_now_and_then() -> None:
    now = [0.0]
    lines: list[str] = []
    meter = Meter("fetch", 96 * MEBIBYTE, lambda: now[0], lines.append)
    for _ in range(12):
        now[0] += 0.5
        meter.add(2 * MEBIBYTE)
    assert lines[0] == "fetch: 8.0 of 96.0 MiB (8 %), 4.0 MiB/s, about 22 s left"
    assert len(lines) == 3
