"""`python -m jobkit fetch|launch|export|seal`: one step of a job, from its plan to its report.

Exit codes: 0 done; 2 the user's mistake; 1 anything else; `launch` ends with the algorithm's own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from jobkit.errors import USER_EXIT_CODE, WORLD_EXIT_CODE, Fault, UserFault
from jobkit.plan import PLAN_ENV, ExportPlan, LaunchPlan, Plan, SealPlan, StagePlan
from jobkit.report import Report, write_report

P = TypeVar("P", bound=Plan)
Ending = tuple[int, Report]
TERMINATED_EXIT_CODE = 128 + signal.SIGTERM


def main(arguments: list[str]) -> int:
    """Run one subcommand; its report is written whatever happens."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m jobkit {'|'.join(COMMANDS)}", file=sys.stderr)
        return USER_EXIT_CODE
    signal.signal(signal.SIGTERM, _terminated)
    exit_code, report = _ending(COMMANDS[arguments[0]])
    print(f"jobkit {arguments[0]}: {report.reason}: {report.message}", flush=True)
    write_report(report)
    return exit_code


def _ending(command: Callable[[], Ending]) -> Ending:
    try:
        return command()
    except Fault as fault:
        report = Report(reason=fault.reason, message=str(fault), user_error=fault.user_error)
        return fault.exit_code, report
    except Exception as error:  # noqa: BLE001  (the top: a bug of ours must leave a report too)
        traceback.print_exc()
        return WORLD_EXIT_CODE, Report(reason="InternalError", message=repr(error))


def _terminated(*_: object) -> NoReturn:
    """End at once, threads and all; a container's first process ignores SIGTERM by default."""
    write_report(Report(reason="Terminated", message="stopped by SIGTERM"))
    os._exit(TERMINATED_EXIT_CODE)


def _read_plan(kind: type[P]) -> P:
    path = Path(os.environ.get(PLAN_ENV, ""))
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        message = f"{PLAN_ENV} must name a {kind.__name__} as JSON: {error}"
        raise UserFault("PlanInvalid", message) from error


def _as_ending(report: Report) -> Ending:
    return (USER_EXIT_CODE if report.user_error else 0), report


def _fetch() -> Ending:
    from jobkit.fetch import fetch

    return _as_ending(asyncio.run(fetch(_read_plan(StagePlan))))


def _export() -> Ending:
    from jobkit.export import export

    return _as_ending(asyncio.run(export(_read_plan(ExportPlan))))


def _launch() -> Ending:
    from jobkit.launch import launch

    return launch(_read_plan(LaunchPlan))


def _seal() -> Ending:
    from jobkit.seal import seal

    return _as_ending(seal(_read_plan(SealPlan)))


COMMANDS: dict[str, Callable[[], Ending]] = {
    "fetch": _fetch,
    "launch": _launch,
    "export": _export,
    "seal": _seal,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
