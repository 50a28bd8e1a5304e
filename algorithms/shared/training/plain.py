"""The plain engine: the whole model on every rank, gradients exchanged by DDP where there are many.

AdamW in float32, with weight decay on matrices alone (https://arxiv.org/abs/1711.05101).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from algorithms.shared.failures import CheckpointMismatch
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Batch, ModelTask
from algorithms.shared.training.engine import Engine, EngineFactory
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.precision import arithmetic_dtype, precision

WEIGHTS_FILE = "weights.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"


class PlainFactory(EngineFactory):
    """One process, or data parallel."""

    def __init__(self, parameters: TrainingParameters, ranks: Ranks) -> None:
        self._parameters, self._ranks = parameters, ranks

    def request(self, request: LoadRequest) -> LoadRequest:
        """On the rank's own device, in the precision that is trained in."""
        return dataclasses.replace(request, device=self._ranks.device, dtype=torch.float32)

    def engine(self, model: LoadedModel) -> Engine:
        """Takes the model over."""
        return PlainEngine(model, self._parameters, self._ranks)


class PlainEngine(Engine):
    """The whole model in this process."""

    kind = "plain"
    portable = True

    def __init__(self, model: LoadedModel, parameters: TrainingParameters, ranks: Ranks) -> None:
        self.network = model.network
        self.data_ranks, self.data_rank = ranks.world_size, ranks.rank
        self._ranks = ranks
        self._dtype = arithmetic_dtype(parameters.dtype, ranks.device)
        self._trained = {n: w for n, w in model.network.named_parameters() if w.requires_grad}
        self._optimizer = adamw(self._trained.values(), parameters.weight_decay)
        self._forward: nn.Module = _Loss(model.network, model.task)
        if ranks.world_size > 1:
            # many a model has weights that a task never uses, or not with every example
            self._forward = DistributedDataParallel(self._forward, find_unused_parameters=True)

    def backward(self, task: ModelTask, batch: Batch, scale: float, last: bool) -> torch.Tensor:
        """DDP takes the mean over the ranks, the loss is a sum over them."""
        with precision(self._ranks.device, self._dtype), self._exchange(last):
            nats: torch.Tensor = self._forward(batch)
            torch.autograd.backward(nats * (scale * self.data_ranks))
        return nats.detach()

    def _exchange(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        if last or not isinstance(self._forward, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._forward.no_sync()

    def step(self, learning_rate: float, clip: float) -> float:
        """AdamW's, unless the gradient is no finite number."""
        limit = clip or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained.values(), limit))
        if math.isfinite(norm):
            for group in self._optimizer.param_groups:
                group["lr"] = learning_rate
            self._optimizer.step()
        self._optimizer.zero_grad()
        return norm

    def save_state(self, folder: Path) -> None:
        """Rank 0 has all there is: the weights that are trained, buffers, AdamW's moments."""
        if self._ranks.is_first:
            save_file(_contiguous(self._weights()), folder / WEIGHTS_FILE)
            save_file(_contiguous(self._moments()), folder / OPTIMIZER_FILE)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {**self._trained, **dict(self.network.named_buffers())}

    def _moments(self) -> dict[str, torch.Tensor]:
        """ "<weight>:exp_avg" and so on; a weight that never had a gradient has none."""
        state = self._optimizer.state
        return {
            f"{name}:{figure}": values
            for name, weight in self._trained.items()
            for figure, values in state.get(weight, {}).items()
        }

    def load_state(self, folder: Path) -> None:
        """On any number of ranks."""
        self._load_weights(load_file(folder / WEIGHTS_FILE))
        for key, values in load_file(folder / OPTIMIZER_FILE).items():
            name, _, figure = key.rpartition(":")
            weight = self._trained[name]
            # AdamW keeps its count of steps on the CPU unless it is fused
            self._optimizer.state[weight][figure] = values.to(weight.device)

    @torch.no_grad()
    def _load_weights(self, saved: dict[str, torch.Tensor]) -> None:
        own = self._weights()
        if own.keys() != saved.keys() or any(own[n].shape != saved[n].shape for n in own):
            raise CheckpointMismatch("The checkpoint's weights are those of another model.")
        for name, values in saved.items():
            own[name].copy_(values)

    def full_weights(self) -> dict[str, torch.Tensor] | None:
        """Of the network as it stands."""
        if not self._ranks.is_first:
            return None
        return {name: weight.cpu() for name, weight in self.network.state_dict().items()}


class _Loss(nn.Module):
    """From a batch to its nats in one forward, so that DDP sees which weights have a part in it."""

    def __init__(self, network: Any, task: ModelTask) -> None:
        super().__init__()
        self._network, self._task = network, task

    def forward(self, batch: Batch) -> torch.Tensor:
        return self._task.loss_sum(self._task.outputs(self._network, batch), batch)


def adamw(weights: Iterable[nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """Weight decay on matrices alone."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for weight in weights:
        (matrices if weight.dim() > 1 else others).append(weight)
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], fused=True)


def _contiguous(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: values.detach().contiguous() for name, values in tensors.items()}
