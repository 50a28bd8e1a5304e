"""The training loop: AdamW, data parallel, the same result on any number of ranks.

A step's loss is the sum over all its tokens on all ranks, divided by their number, which every
rank knows beforehand; so unequal shares and the filled-up last block weigh what they should.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from algorithms.shared.failures import NaNLoss
from algorithms.shared.language_model import arithmetic_dtype
from algorithms.shared.ranks import Ranks
from algorithms.shared.scoring import IGNORED, nll_sum
from algorithms.train.blocks import row_order
from algorithms.train.parameters import TrainParameters
from algorithms.train.schedule import learning_rate


@dataclass(frozen=True)
class StepRecord:
    """One optimiser step; `loss` in nats a token, before the step."""

    step: int
    loss: float
    learning_rate: float
    tokens: int


class Trainer:
    """Holds what lives as long as the loop: the network, its optimiser and the blocks."""

    def __init__(
        self,
        network: Any,
        blocks: tuple[torch.Tensor, torch.Tensor],
        parameters: TrainParameters,
        ranks: Ranks,
    ) -> None:
        self._network = network
        self._forward = DistributedDataParallel(network) if ranks.world_size > 1 else network
        self._optimizer = adamw(network, parameters)
        self._inputs, self._targets = blocks
        self._parameters = parameters
        self._ranks = ranks

    def run(self, on_step: Callable[[StepRecord], None]) -> list[StepRecord]:
        """All steps; `on_step` sees each as it is done. Raises NaNLoss."""
        self._network.train()
        records: list[StepRecord] = []
        order = row_order(len(self._inputs), self._parameters.seed)
        for step in range(self._parameters.steps):
            rows = list(itertools.islice(order, self._parameters.batch_size))
            records.append(self._step(step, rows))
            on_step(records[-1])
        return records

    def _step(self, step: int, rows: list[int]) -> StepRecord:
        tokens = int((self._targets[rows] != IGNORED).sum())
        nll = sum(self._backward(part, tokens, sync) for part, sync in self._parts(rows))
        loss = self._ranks.sum([nll])[0] / tokens
        self._refuse_nan("loss", loss, step)
        return StepRecord(step + 1, loss, self._update(step), tokens)

    def _refuse_nan(self, figure: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            rate = self._parameters.learning_rate
            advice = f"lower learningRate (now {rate:g}), or set gradientClip"
            raise NaNLoss(
                f"The {figure} is {value} at step {step + 1}: "
                + (advice if step else "the model's weights are damaged")
            )

    def _parts(self, rows: list[int]) -> Iterator[tuple[list[int], bool]]:
        """This rank's rows in as many parts as wanted; gradients are exchanged with the last."""
        mine, count = list(self._ranks.share(rows)), self._parameters.gradient_accumulation
        for index in range(count):
            yield mine[index::count], index == count - 1

    def _backward(self, rows: list[int], tokens: int, sync: bool) -> float:
        """Adds the gradient of these rows' share of the loss; returns their nats."""
        device = self._ranks.device
        with self._precision(), contextlib.nullcontext() if sync else self._unsynchronised():
            logits = self._forward(self._inputs[rows].to(device), use_cache=False).logits
            nll = nll_sum(logits, self._targets[rows].to(device))
            # DDP takes the mean over the ranks, this loss is a sum over them
            torch.autograd.backward(nll * self._ranks.world_size / tokens)
        return float(nll.detach())

    def _unsynchronised(self) -> contextlib.AbstractContextManager[Any]:
        wrapped = isinstance(self._forward, DistributedDataParallel)
        return self._forward.no_sync() if wrapped else contextlib.nullcontext()

    def _precision(self) -> torch.autocast:
        dtype = arithmetic_dtype(self._parameters.dtype, self._ranks.device)
        device = self._ranks.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)

    def _update(self, step: int) -> float:
        """Returns the learning rate used. Raises NaNLoss rather than spoil the weights."""
        limit = self._parameters.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), limit)
        self._refuse_nan("gradient's norm", float(norm), step)
        rate = learning_rate(step, self._parameters)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        return rate


def adamw(network: Any, parameters: TrainParameters) -> torch.optim.AdamW:
    """Weight decay on matrices alone."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": parameters.weight_decay},
        {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=parameters.learning_rate, fused=True)
