"""What happens, as it happens: a live table on a terminal, lines elsewhere. On stderr."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.ports import JobEvent

FRAMES_PER_SECOND = 4
LINE_SECONDS = 10.0  # between two lines that only tell progress
BAR_WIDTH = 24
ENDS = frozenset(str(phase) for phase in FINISHED)
STYLES = {Phase.SUCCEEDED: "green", Phase.FAILED: "red", Phase.STOPPED: "red"}

Footer = Callable[[], Text]
Seen = TypeVar("Seen", ComputeJob, ModelAsset)


class Visible(Protocol):
    """What is there now: this machine's objects, or what a cluster has told."""

    def all(self, kind: type[Seen]) -> list[Seen]: ...


class Watch:
    """Shows every job, and every asset that no job made."""

    def __init__(
        self,
        objects: Visible,
        console: Console,
        footer: Footer | None = None,
        ends_are_told: bool = True,
    ) -> None:
        """`ends_are_told` False: how each job ends is said elsewhere."""
        self._objects = objects
        self._console = console
        self._footer = footer
        self._silent = frozenset() if ends_are_told else ENDS

    def tell(self, event: JobEvent) -> None:
        """One line of an object's story, where there is no live table."""
        if not self._console.is_terminal and event.reason not in self._silent:
            line = f"{event.key}: {event.reason}: {event.message}"
            self._console.print(line, markup=False, soft_wrap=True)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """While the block lasts."""
        drawing = asyncio.create_task(self._draw() if self._console.is_terminal else self._print())
        try:
            yield
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)

    async def _draw(self) -> None:
        with Live(console=self._console, auto_refresh=False) as live:
            try:
                while True:
                    live.update(self._table(), refresh=True)
                    await asyncio.sleep(1 / FRAMES_PER_SECOND)
            finally:
                live.update(self._table(), refresh=True)

    async def _print(self) -> None:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            for job in self._objects.all(ComputeJob):
                if job.status.phase is Phase.RUNNING and job.status.progress:
                    said = f"{job.metadata.key}: {', '.join(progress_of(job))}"
                    self._console.print(said, markup=False, soft_wrap=True)

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for title in ("", "phase", "progress", "", "what happens"):
            table.add_column(title, no_wrap=True)
        for asset in self._objects.all(ModelAsset):
            if not asset.spec.job_uid:
                table.add_row(*_asset_row(asset))
        for job in self._objects.all(ComputeJob):
            table.add_row(*_job_row(job))
        return Group(table, self._footer()) if self._footer else Group(table)


def left_of(job: ComputeJob) -> str:
    """How long the algorithm still takes, by its own estimate."""
    progress = job.status.progress
    if progress is None or progress.eta_seconds is None:
        return ""
    return duration(progress.eta_seconds) + " left"


def progress_of(job: ComputeJob) -> list[str]:
    """How far it is, how well it goes and how long it takes, as far as the algorithm says so."""
    progress = job.status.progress
    loss = progress.metrics.get("loss") if progress else None
    told = [f"{_percent(job):.0f} %", "" if loss is None else f"loss {loss:.4g}", left_of(job)]
    return [part for part in told if part]


def duration(seconds: float) -> str:
    """`45 s`, `2 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _job_row(job: ComputeJob) -> tuple[str, Text, ProgressBar, str, Text]:
    phase, why = job.status.phase, find_condition(job.status.conditions, "Succeeded")
    running = phase is Phase.RUNNING
    return (
        str(job.metadata.key),
        Text(str(phase or "…"), style=STYLES.get(phase, "cyan") if phase else ""),
        ProgressBar(total=100, completed=_percent(job), width=BAR_WIDTH),
        left_of(job) if running else "",
        Text(why.message if why else ""),
    )


def _asset_row(asset: ModelAsset) -> tuple[str, Text, ProgressBar, str, Text]:
    ready = find_condition(asset.status.conditions, "Ready")
    done = ready is not None and ready.status == "True"
    return (
        str(asset.metadata.key),
        Text("Published" if done else "Publishing", style="green" if done else "cyan"),
        ProgressBar(total=100, completed=100 if done else 0, width=BAR_WIDTH),
        "",
        Text(asset.status.did if done else ready.message if ready else ""),
    )


def _percent(job: ComputeJob) -> float:
    if job.status.phase is Phase.SUCCEEDED:
        return 100.0
    return job.status.progress.percent if job.status.progress else 0.0
