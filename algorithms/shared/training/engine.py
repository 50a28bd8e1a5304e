"""What the loop needs of the machinery that holds the weights: the contract of the engines.

`plain` (one process, or DDP), `zero` (DeepSpeed) and `tensor_parallel` implement it. The loop knows
steps, data order and losses; an engine knows where weights, gradients and optimiser state lie.
`engines.choose` picks an EngineFactory before the model is loaded; the factory says how to load it,
and makes the engine of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import torch

from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.tasks.base import Batch, ModelTask


class Engine(ABC):
    """One rank's part of the model, with its optimiser."""

    kind: ClassVar[str]  # plain, zero, tensor-parallel: a checkpoint is of one kind
    portable: ClassVar[bool]  # its state is whole: any number of ranks can go on from it
    network: Any  # to evaluate with: the module whose forward gives logits, on every rank alike
    data_ranks: int  # how many parts a batch is cut into: the world, or less with tensor parallel
    data_rank: int  # which part is this rank's

    @abstractmethod
    def backward(self, task: ModelTask, batch: Batch, scale: float, last: bool) -> torch.Tensor:
        """Forward and backward of this rank's rows; adds the gradient of `loss_sum * scale`, where
        gradients are summed over the data ranks by `step`. Returns the rows' nats, a scalar on the
        device without a gradient. `batch` lies on the device already. `last`: the step's last
        part, after which gradients may be exchanged."""

    @abstractmethod
    def step(self, learning_rate: float, clip: float) -> float:
        """Update the weights and forget the gradients; returns the gradient's norm before clipping
        (`clip` 0: no limit). If the norm isn't finite nothing is updated."""

    @abstractmethod
    def save_state(self, folder: Path) -> None:
        """This rank's weights, optimiser and (if sharded) whatever it needs, into files of its own
        name in a folder that exists. No pickle: safetensors and JSON. All ranks call it together;
        digests, fsync and the rename to a finished checkpoint are not its business."""

    @abstractmethod
    def load_state(self, folder: Path) -> None:
        """What `save_state` of the same rank wrote. Raises CheckpointMismatch."""

    @abstractmethod
    def full_weights(self) -> dict[str, torch.Tensor] | None:
        """`network.state_dict()`, every weight whole, on the CPU, to be saved by rank 0; None on
        other ranks. All ranks call it together."""


class EngineFactory(ABC):
    """One way to hold the weights. Made on every rank, from parameters and ranks alone."""

    @abstractmethod
    def request(self, request: LoadRequest) -> LoadRequest:
        """Where and how the model is to be loaded: device, dtype, tensor parallelism."""

    def loading(self) -> AbstractContextManager[None]:
        """What has to hold while the model is loaded (ZeRO-3 cuts the weights up meanwhile)."""
        return nullcontext()

    @abstractmethod
    def engine(self, model: LoadedModel) -> Engine:
        """Takes the model over."""
