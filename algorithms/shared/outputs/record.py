"""What a finished training run is known by: plain figures and texts, no tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from algorithms.shared.tasks.base import TaskName


@dataclass(frozen=True)
class LossPoint:
    """One optimiser step, counted from 1; `loss` in nats a target, before the step."""

    step: int
    loss: float
    learning_rate: float
    tokens: int


@dataclass(frozen=True)
class HeldOutPoint:
    """The loss on what is held out, in nats a target, after `step` steps (0: before training)."""

    step: int
    loss: float


@dataclass(frozen=True)
class Prediction:
    """What the model made of a record; `reference` is what the record itself says there."""

    id: str
    prompt: str
    reference: str
    text: str


@dataclass(frozen=True)
class TrainingRun:
    """One training run, whole: with the steps of earlier attempts where it was resumed.

    `before`, `after`: figures on what is held out, by name ("loss", "accuracy", …); empty where
    nothing is. `figures`: more of them for the report, as they are named there.
    """

    task_name: TaskName
    losses: Sequence[LossPoint]
    seconds: float
    samples: int  # that were trained on
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    held_out: Sequence[HeldOutPoint] = ()
    held_out_samples: int = 0
    predictions_before: Sequence[Prediction] = ()
    predictions_after: Sequence[Prediction] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    data_fingerprint: str = ""

    @property
    def tokens(self) -> int:
        """Targets over all steps."""
        return sum(point.tokens for point in self.losses)
