"""One line that a person sees move in a terminal; what else is printed scrolls by above it.

Imported only where there is a terminal: in a job there is none.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

BAR_WIDTH = 20
SECONDS_A_MINUTE = 60


class LiveLine:
    """On stderr: percent, bar, step, loss, tokens a second, time left."""

    def __init__(self, total_steps: int) -> None:
        self._total_steps = total_steps
        self._shown = Progress(
            TextColumn("{task.percentage:>3.0f} %"),
            BarColumn(bar_width=BAR_WIDTH),
            TextColumn("{task.fields[said]}", markup=False),
            console=Console(stderr=True, highlight=False),
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),  # a pipe gets its lines as ever
        )
        self._line = self._shown.add_task("", total=total_steps, said="")
        self._shown.start()
        atexit.register(self._shown.stop)  # the cursor comes back, however the program ends

    def show(self, step: int, eta_seconds: float | None, metrics: Mapping[str, float]) -> None:
        """After the last step it stays as it is, and the program goes on below it."""
        said = sentence(step, self._total_steps, eta_seconds, metrics)
        self._shown.update(self._line, completed=step, said=said, refresh=True)
        if step >= self._total_steps:
            self._shown.stop()


def sentence(
    step: int, total_steps: int, eta_seconds: float | None, metrics: Mapping[str, float]
) -> str:
    """`step 12/40 · loss 2.31 · 1,204 tokens/s · 1 min 05 s left`, as far as it is known."""
    parts = [f"step {step}/{total_steps}"]
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.4g}")
    if "tokensPerSecond" in metrics:
        parts.append(f"{metrics['tokensPerSecond']:,.0f} tokens/s")
    if eta_seconds is not None and step < total_steps:
        parts.append(f"{_duration(eta_seconds)} left")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), SECONDS_A_MINUTE)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
