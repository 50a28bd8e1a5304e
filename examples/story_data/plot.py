"""The story's plot: each generation's loss on held-out samples, and how it was trained there.

`python -m examples.story_data.plot losses.json --out losses.png [--curve Bob=loss.csv …]`, with
{"Alice": 3.36, "Bob": 3.15, …} in the order of the generations.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

SMOOTHING = 0.8  # of the training curve: a single batch says little


@dataclass(frozen=True)
class Row:
    """One generation: `loss` in nats a token; `curve` its training loss, step by step."""

    name: str
    loss: float
    curve: tuple[float, ...] = ()


def plot_losses(path: Path, rows: Sequence[Row]) -> None:
    """Writes a PNG: the losses, and the training curves beside them if there are any."""
    curves = [row for row in rows if row.curve]
    columns = 2 if curves else 1
    figure, axes = pyplot.subplots(1, columns, figsize=(5 * columns, 4), squeeze=False)
    _draw_losses(axes[0][0], rows)
    if curves:
        _draw_curves(axes[0][1], curves)
    figure.tight_layout()
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)


def read_curve(loss_csv: Path) -> tuple[float, ...]:
    """The column `loss` of what `train` writes."""
    with loss_csv.open(newline="") as file:
        return tuple(float(row["loss"]) for row in csv.DictReader(file))


def smooth(curve: Sequence[float]) -> list[float]:
    """An exponential moving average."""
    return list(accumulate(curve, lambda so_far, loss: SMOOTHING * so_far + (1 - SMOOTHING) * loss))


def _draw_losses(axes: Any, rows: Sequence[Row]) -> None:
    """Points, not bars: the axis doesn't start at 0, so that the change is to be seen."""
    names, losses = [row.name for row in rows], [row.loss for row in rows]
    axes.plot(names, losses, marker="o")
    for name, loss in zip(names, losses, strict=True):
        axes.annotate(f"{loss:.3f}", (name, loss), (0, 8), textcoords="offset points", ha="center")
    axes.margins(x=0.2, y=0.2)
    axes.set_ylabel("loss on held-out samples (nats a token)")
    axes.set_title("Each generation")


def _draw_curves(axes: Any, rows: Sequence[Row]) -> None:
    for row in rows:
        axes.plot(range(1, len(row.curve) + 1), smooth(row.curve), label=row.name)
    axes.set_xlabel("step")
    axes.set_ylabel("training loss, smoothed (nats a token)")
    axes.set_title("Training")
    axes.legend()


def main() -> None:
    """Reads the losses and draws them."""
    parser = argparse.ArgumentParser(prog="python -m examples.story_data.plot")
    parser.add_argument("losses", type=Path, help='JSON: {"NAME": loss, …}')
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--curve", action="append", default=[], metavar="NAME=loss.csv")
    options = parser.parse_args()
    curves = {name: Path(file) for name, _, file in (one.partition("=") for one in options.curve)}
    losses: dict[str, float] = json.loads(options.losses.read_text())
    rows = [
        Row(name, loss, read_curve(curves[name]) if name in curves else ())
        for name, loss in losses.items()
    ]
    plot_losses(options.out, rows)


if __name__ == "__main__":
    main()
