"""What is remembered of a run: its steps, and what was measured before the first."""

from __future__ import annotations

import msgspec

from algorithms.shared.outputs.record import Prediction


class StepRecord(msgspec.Struct, frozen=True, rename="camel"):
    """One optimiser step; `loss` in nats a target, before the step. `tokens` went in (padding not
    counted), `targets` were predicted."""

    step: int  # counted from 1
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    targets: int


class Score(msgspec.Struct, frozen=True):
    """`nats`, summed over `targets` predicted targets."""

    nats: float
    targets: int

    @property
    def loss(self) -> float:
        """Nats a target."""
        return self.nats / self.targets


class TrainingState(msgspec.Struct, rename="camel"):
    """How far a run is. The data's order and every random choice follow from seed and step, so
    the number of steps is all that has to be known of them."""

    before: Score | None = None
    predictions_before: list[Prediction] = []
    records: list[StepRecord] = []
    seconds: float = 0.0  # spent in steps, over all attempts

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.records)
