"""loss.png: how the training went, at a glance. The same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from algorithms.shared.outputs.losses import smoothed
from algorithms.shared.outputs.record import HeldOutPoint, LossPoint

INCHES = (7, 4)
DOTS_PER_INCH = 120


def write_plot(path: Path, losses: Sequence[LossPoint], held_out: Sequence[HeldOutPoint]) -> None:
    """Training loss (each step faint, smoothed on top) and the held-out loss where measured.

    The figure draws itself with Agg, without pyplot: no display, no state, no date in the file.
    """
    figure = Figure(figsize=INCHES, layout="tight")
    axes = figure.add_subplot()
    _draw_training(axes, losses)
    _draw_held_out(axes, held_out)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats a target)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png", metadata={"Software": None})


def _draw_training(axes: Any, losses: Sequence[LossPoint]) -> None:
    steps = [point.step for point in losses]
    axes.plot(steps, [point.loss for point in losses], color="C0", alpha=0.25, linewidth=1)
    axes.plot(steps, smoothed(losses), color="C0", label="training, smoothed")


def _draw_held_out(axes: Any, held_out: Sequence[HeldOutPoint]) -> None:
    if not held_out:
        return
    steps = [point.step for point in held_out]
    axes.plot(steps, [point.loss for point in held_out], "o--", color="C1", label="held out")
    for point in (held_out[0], held_out[-1]):
        place = (point.step, point.loss)
        axes.annotate(f"{point.loss:.3f}", place, (0, 8), textcoords="offset points", ha="center")
