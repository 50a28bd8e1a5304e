"""`jobkit launch`: run the algorithm on this node; its end becomes an exit code and a report."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from jobkit.errors import WorldFault
from jobkit.plan import LaunchPlan
from jobkit.processes import adopt_orphans, kill_now, leave_nothing, signal_group
from jobkit.report import Report
from jobkit.tee import Tee

RANK_ENV = "JOB_COMPLETION_INDEX"  # set by an Indexed Job
POD_IP_ENV = "POD_IP"
NOT_FOUND_EXIT_CODE = 127
MAX_PROGRESS_BYTES = 2048  # half of what a report may have
REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")


def launch(plan: LaunchPlan) -> tuple[int, Report]:
    """The algorithm's own exit code (128 + number for a signal), and why it ended."""
    rank = int(os.environ.get(RANK_ENV) or 0)
    environment = algorithm_environment(plan, rank, os.environ)
    adopt_orphans()
    stopper = Stopper(plan.grace_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopper.stop)
    try:
        child = _start(algorithm_command(plan), environment)
    except OSError as error:
        message = f"can't start {plan.command[0]!r}: {error.strerror}; check the entrypoint"
        report = Report(reason="CommandNotFound", message=message, user_error=True)
        return NOT_FOUND_EXIT_CODE, report
    return _follow(child, stopper, Tee(log_file_of(plan, rank)))


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that signals reach all of it and none of ours."""
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _follow(child: subprocess.Popen[bytes], stopper: Stopper, tee: Tee) -> tuple[int, Report]:
    stopper.follow(child.pid)
    assert child.stdout is not None
    copier = threading.Thread(target=tee.copy, args=(child.stdout,))
    copier.start()
    exit_code = shell_exit_code(child.wait())
    stopper.cancel()
    leave_nothing(child.pid)
    copier.join()
    return exit_code, report_of(exit_code, tee, stopper.stopped)


class Stopper:
    """On SIGTERM: the algorithm gets it too, and SIGKILL when its grace has passed."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds, self.stopped = grace_seconds, False
        self._group: int | None = None
        self._kill: threading.Timer | None = None

    def stop(self, number: int, frame: FrameType | None) -> None:
        """A signal handler; it may come before there is an algorithm."""
        self.stopped = True
        if self._group is not None:
            self._end(self._group)

    def follow(self, group: int) -> None:
        """The algorithm runs as this process group."""
        self._group = group
        if self.stopped:
            self._end(group)

    def cancel(self) -> None:
        """The algorithm has ended."""
        if self._kill:
            self._kill.cancel()

    def _end(self, group: int) -> None:
        """The grace begins with the first signal."""
        signal_group(group, signal.SIGTERM)
        if self._kill is None:
            self._kill = threading.Timer(self._grace_seconds, kill_now, (group,))
            self._kill.daemon = True
            self._kill.start()


def log_file_of(plan: LaunchPlan, rank: int) -> Path:
    """Rank 0's log has the plan's name; other nodes write beside it."""
    path = Path(plan.log_file)
    return path if rank == 0 else path.with_stem(f"{path.stem}-node-{rank}")


def algorithm_command(plan: LaunchPlan) -> list[str]:
    """The command itself, or torchrun around it where there is more than one process in all."""
    if plan.nodes * plan.processes_per_node == 1:
        return list(plan.command)
    return [sys.executable, "-m", "jobkit.elastic", "--no-python", *plan.command]


def algorithm_environment(
    plan: LaunchPlan, rank: int, own: Mapping[str, str], port: Callable[[], int] | None = None
) -> dict[str, str]:
    """Our own environment, and what tells torchrun its place: https://pytorch.org/docs/elastic."""
    environment = {**own, "PYTHONUNBUFFERED": "1"}
    if plan.nodes * plan.processes_per_node == 1:
        return environment
    alone = plan.nodes == 1
    return (
        {"OMP_NUM_THREADS": "1"}
        | environment
        | {
            "PET_NNODES": str(plan.nodes),
            "PET_NPROC_PER_NODE": str(plan.processes_per_node),
            "PET_NODE_RANK": str(rank),
            "PET_MASTER_ADDR": "127.0.0.1" if alone else _master(plan, rank, own),
            "PET_MASTER_PORT": str((port or free_port)() if alone else plan.master_port),
            "PET_MAX_RESTARTS": "0",
            "PET_SHUTDOWN_TIMEOUT": str(ceil(plan.grace_seconds)),  # its own 30 s may be too few
        }
    )


def _master(plan: LaunchPlan, rank: int, own: Mapping[str, str]) -> str:
    """Rank 0 names itself: through its own ClusterIP it would be masqueraded."""
    address = own.get(POD_IP_ENV, "") if rank == 0 else plan.master_address
    if not address:
        missing = POD_IP_ENV if rank == 0 else "masterAddress"
        raise WorldFault("PlanInvalid", f"{plan.nodes} nodes need {missing} on node {rank}")
    return address


def free_port() -> int:
    """A port nobody listens on now: jobs of one machine must not meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def shell_exit_code(returncode: int) -> int:
    """As a shell says it: 128 + the signal's number for a death by signal."""
    return returncode if returncode >= 0 else 128 - returncode


def report_of(exit_code: int, tee: Tee, stopped: bool) -> Report:
    """Why the algorithm ended: its own words first, then what the exit code says."""
    details = _details(exit_code, tee)
    if exit_code == 0:
        return Report(reason="Completed", message="the algorithm ended", details=details)
    if failure := tee.failure:
        reason = failure.reason if REASON.fullmatch(failure.reason) else "AlgorithmFailed"
        return Report(
            reason=reason, message=failure.message, user_error=failure.user_error, details=details
        )
    reason, message = _by_exit_code(exit_code, stopped)
    tail = "\n".join(tee.last_lines)
    return Report(
        reason=reason,
        message=f"{message}. Last output:\n{tail}" if tail else message,
        details=details,
    )


def _details(exit_code: int, tee: Tee) -> dict[str, Any]:
    """With the last progress: whoever looks only now has not followed the log."""
    details: dict[str, Any] = {"exitCode": exit_code}
    progress = msgspec.to_builtins(tee.progress) if tee.progress else None
    if progress and len(msgspec.json.encode(progress)) <= MAX_PROGRESS_BYTES:
        details["progress"] = progress
    return details


def _by_exit_code(exit_code: int, stopped: bool) -> tuple[str, str]:
    if stopped:
        return "Terminated", "the algorithm was stopped"
    if exit_code == 128 + signal.SIGKILL:
        return "OOMKilled", (
            "the algorithm was killed; it may have run out of memory: ask for more, or use a "
            "smaller batch"
        )
    if exit_code > 128:
        return "Error", f"the algorithm died of signal {exit_code - 128}"
    return "Error", f"the algorithm exited with code {exit_code}"
