"""Pretrain: make the tokenizer and the configuration, then train as `train` does."""

from __future__ import annotations

from algorithms.pretrain.parameters import PretrainParameters
from algorithms.pretrain.source import prepared
from algorithms.shared.inputs import Task
from algorithms.shared.ranks import joined_ranks
from algorithms.shared.training.program import train


def run(task: Task[PretrainParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        train(task, prepared(task, ranks), ranks)
