"""What the loop needs of the machinery that holds the weights: the contract of the engines.

`plain` (one process, or DDP), `zero` (DeepSpeed) and `tensor_parallel` implement it. The loop knows
steps, data order and losses; an engine knows where weights, gradients and optimiser state lie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch

from algorithms.shared.tasks.base import Batch, ModelTask


class Engine(ABC):
    """One rank's part of the model, with its optimiser."""

    network: Any  # to evaluate with: the module whose forward gives logits, on every rank alike
    data_ranks: int  # how many parts a batch is cut into: the world, or less with tensor parallel
    data_rank: int  # which part is this rank's

    @abstractmethod
    def backward(self, task: ModelTask, batch: Batch, scale: float, last: bool) -> float:
        """Forward and backward of this rank's rows; adds the gradient of `loss_sum * scale`, where
        gradients are summed over the data ranks by `step`. Returns the rows' nats. `last`: the
        step's last part, after which gradients may be exchanged."""

    @abstractmethod
    def step(self, learning_rate: float, clip: float) -> float:
        """Update the weights and forget the gradients; returns the gradient's norm before clipping
        (`clip` 0: no limit). If the norm isn't finite nothing is updated."""

    @abstractmethod
    def save_state(self, folder: Path) -> None:
        """This rank's weights, optimiser and (if sharded) whatever it needs, into files of its own
        name in a folder that exists. No pickle: safetensors and JSON."""

    @abstractmethod
    def load_state(self, folder: Path) -> None:
        """What `save_state` of the same rank wrote. Raises CheckpointMismatch."""

    @abstractmethod
    def full_weights(self) -> dict[str, torch.Tensor] | None:
        """Every weight, whole, on the CPU, to be saved by rank 0; None on other ranks. All ranks
        call it together."""
