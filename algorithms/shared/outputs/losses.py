"""The loss over the steps: loss.csv, its smoothed curve, and the figures taken from it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from algorithms.shared.outputs.record import HeldOutPoint, LossPoint

SMOOTHING = 0.9  # weight of the past in the moving average: a single batch says little
COLUMNS = ("step", "loss", "learningRate", "tokens", "heldOutLoss")


def write_losses(path: Path, losses: Sequence[LossPoint], held_out: Sequence[HeldOutPoint]) -> None:
    """One row a step; `heldOutLoss` is empty where it wasn't measured after that step."""
    measured = {point.step: point.loss for point in held_out}
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for point in losses:
            figures = (point.step, point.loss, point.learning_rate, point.tokens)
            rows.writerow([*figures, measured.get(point.step, "")])


def smoothed(losses: Sequence[LossPoint]) -> list[float]:
    """An exponential moving average that starts at the first loss."""
    return list(
        accumulate(
            (point.loss for point in losses),
            lambda so_far, loss: SMOOTHING * so_far + (1 - SMOOTHING) * loss,
        )
    )


def mean_loss(losses: Sequence[LossPoint]) -> float:
    """Weighted by tokens."""
    return sum(p.loss * p.tokens for p in losses) / sum(p.tokens for p in losses)


def tenth(losses: Sequence[LossPoint]) -> int:
    """How many steps the first, or the last, tenth has: one at least."""
    return max(1, len(losses) // 10)
