"""A step that runs here: one process a node, seen from outside as pods are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from jobkit.progress import ProgressLine, parse_line
from jobkit.report import Report, decode_report
from posthuman.api.job import Progress
from posthuman.jobs.steps import Anchor, Step, StepState
from posthuman.local.processes import NodeProcess, start_process

PROGRESS_SECONDS = 1.0  # between two wakes that only tell progress
PEER_GRACE_SECONDS = 5.0  # for the other nodes once one failed
SIGKILL_EXIT_CODE = 137


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What to start on one node, and where it leaves its traces."""

    command: tuple[str, ...]
    variables: dict[str, str]
    folder: Path
    log: Path
    report: Path


class RunningStep:
    """Starts the programs, keeps what they say, and calls `wake` when something changed."""

    def __init__(self, step: Step, anchor: Anchor, wake: Callable[[], None]) -> None:
        self.step = step
        self.anchor = anchor
        self._wake = wake
        self._processes: list[NodeProcess] = []
        self._reports: list[Path] = []
        self._created_at = self._started_at = _now()
        self._ended_at = ""
        self._first_failure: tuple[int, int] | None = None  # node index, exit code
        self._progress: Progress | None = None
        self._told: asyncio.TimerHandle | None = None
        self._last_told = 0.0
        self._end: asyncio.Task[None] | None = None
        self.terminating = False

    async def start(self, programs: Sequence[Program]) -> None:
        """Start every node's program; they run on in the background."""
        for index, program in enumerate(programs):
            listen = self._hear if index == 0 else _ignore
            self._reports.append(program.report)
            self._processes.append(
                await start_process(
                    program.command, program.variables, program.folder, program.log, listen
                )
            )
        self._started_at = _now()
        self._end = asyncio.create_task(self._run_to_end())

    def terminate(self, grace_seconds: float) -> None:
        """Ask every process to end; SIGKILL after the grace."""
        self.terminating = True
        for process in self._processes:
            process.terminate(grace_seconds)

    async def ended(self) -> None:
        """Return once no process of the step lives."""
        if self._end is not None:
            await asyncio.shield(self._end)

    def state(self) -> StepState:
        """The step as an API server would tell it."""
        code = self._first_failure[1] if self._first_failure else 0 if self._ended_at else None
        killed = code == SIGKILL_EXIT_CODE and not self.terminating
        return StepState(
            name=self.step.name,
            role=self.step.role,
            attempt=self.step.attempt,
            state="Running" if code is None or not self._ended_at else _verdict(code),
            created_at=self._created_at,
            started_at=self._started_at,
            ended_at=self._ended_at,
            exit_code=code if self._ended_at else None,
            report=self._report() if self._ended_at else None,
            reason="Killed" if killed else "",
            message="its process was killed; by this machine, out of memory?" if killed else "",
            progress=self._progress,
            live_pods=sum(process.alive for process in self._processes),
            terminating=self.terminating,
        )

    def _report(self) -> Report | None:
        """The first failing node's, or rank 0's."""
        path = self._reports[self._first_failure[0] if self._first_failure else 0]
        return decode_report(path.read_bytes()) if path.exists() else None

    async def _run_to_end(self) -> None:
        await asyncio.gather(*(self._watch(index) for index in range(len(self._processes))))
        self._ended_at = _now()
        if self._told:
            self._told.cancel()
        self._wake()

    async def _watch(self, index: int) -> None:
        code = await self._processes[index].wait()
        if code != 0 and self._first_failure is None:
            self._first_failure = (index, code)
            for process in self._processes:
                process.terminate(PEER_GRACE_SECONDS)

    def _hear(self, line: str) -> None:
        """Keep a progress line; wake, but not at every line."""
        told = parse_line(line)
        if not isinstance(told, ProgressLine):
            return
        fields = msgspec.structs.asdict(told)
        self._progress = Progress(**fields, updated_at=_now())
        loop = asyncio.get_running_loop()
        if self._told is None:
            due = max(loop.time(), self._last_told + PROGRESS_SECONDS)
            self._told = loop.call_at(due, self._tell_progress)

    def _tell_progress(self) -> None:
        self._told = None
        self._last_told = asyncio.get_running_loop().time()
        self._wake()


def _verdict(code: int) -> Literal["Succeeded", "Failed"]:
    return "Succeeded" if code == 0 else "Failed"


def _ignore(_line: str) -> None:
    """Only rank 0's output tells progress."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
