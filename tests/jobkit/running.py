"""Run `python -m jobkit …` as a pod does: plan in a file, report in another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from jobkit.plan import PLAN_ENV, TERMINATION_LOG_ENV, Plan
from jobkit.report import Report, decode_report

OPERATOR = Path(__file__).resolve().parents[2] / "operator"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a subcommand ended."""

    exit_code: int
    report: Report
    output: str


def start(
    subcommand: str, plan: Plan, folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start it; `folder` gets the plan and the report."""
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    environment = {
        **os.environ,
        "PYTHONPATH": str(OPERATOR),
        PLAN_ENV: str(folder / "plan.json"),
        TERMINATION_LOG_ENV: str(folder / "report.json"),
        **(variables or {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "jobkit", subcommand],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def ended(process: subprocess.Popen[str], folder: Path) -> Ended:
    """Wait for the end."""
    output, _ = process.communicate(timeout=120)
    report = decode_report((folder / "report.json").read_bytes())
    assert report is not None, output
    return Ended(exit_code=process.returncode, report=report, output=output)


def run(
    subcommand: str, plan: Plan, folder: Path, variables: Mapping[str, str] | None = None
) -> Ended:
    """Start it and wait."""
    return ended(start(subcommand, plan, folder, variables), folder)
