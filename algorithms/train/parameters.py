"""What a training run can be told."""

from __future__ import annotations

from algorithms.shared.training.parameters import TrainingParameters


class TrainParameters(TrainingParameters, frozen=True, kw_only=True):
    """The defaults suit fine-tuning. Memory: 16 bytes a weight, and what the batch takes."""
