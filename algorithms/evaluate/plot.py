"""evaluation.png: a panel a figure, a bar a model. The same report gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PANEL_INCHES = 3.2
HEIGHT_INCHES = 3.6
DOTS_PER_INCH = 120


def write_plot(path: Path, rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> None:
    """Drawn with Agg, without pyplot: no display, no state, no date in the file."""
    from matplotlib.figure import Figure  # only here: a second that no other rank waits

    figure = Figure(figsize=(PANEL_INCHES * len(figures), HEIGHT_INCHES), layout="tight")
    panels = figure.subplots(1, len(figures), squeeze=False)[0]
    for axes, name in zip(panels, figures, strict=True):
        _draw(axes, rows, name)
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png", metadata={"Software": None})


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    """Names of any length fit under a bar, at an angle."""
    places = range(len(rows))
    bars = axes.bar(places, [row[name] for row in rows], color=[f"C{n % 10}" for n in places])
    axes.bar_label(bars, fmt="%.3f", padding=2)
    axes.set_xticks(places, [str(row["model"]) for row in rows], rotation=20, ha="right")
    axes.set_title(name)
    axes.margins(y=0.15)
