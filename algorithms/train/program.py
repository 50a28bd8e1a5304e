"""Train a model that is there further."""

from __future__ import annotations

from algorithms.shared.inputs import Task
from algorithms.shared.ranks import joined_ranks
from algorithms.shared.training.program import train
from algorithms.train.parameters import TrainParameters
from algorithms.train.source import source_of


def run(task: Task[TrainParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        train(task, source_of(task.model(), task.parameters), ranks)
