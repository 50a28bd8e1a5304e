"""The learning rate over the steps."""

from __future__ import annotations

import math

from algorithms.shared.training.parameters import TrainingParameters


def learning_rate(step: int, steps: int, parameters: TrainingParameters) -> float:
    """Of step 0, 1, … of `steps`: a linear climb to the peak, then the schedule's way down."""
    warmup_steps = round(parameters.warmup_fraction * steps)
    if step < warmup_steps:
        return parameters.learning_rate * (step + 1) / (warmup_steps + 1)
    done = (step - warmup_steps) / (steps - warmup_steps)
    return parameters.learning_rate * _remaining(parameters.schedule, done)


def _remaining(schedule: str, done: float) -> float:
    """The fraction of the peak after the fraction `done` of the way."""
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if schedule == "linear" else 1.0
