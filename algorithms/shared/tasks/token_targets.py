"""What tasks with a target a token share: `labels` [rows, length], IGNORED where nothing counts."""

from __future__ import annotations

from typing import Any

import torch

from algorithms.shared.tasks.base import Batch, ModelTask
from algorithms.shared.tasks.inputs import ModelInputs, count_targets, nll_sum

TARGETS = frozenset({"labels"})


class TokenTargets(ModelTask):
    """The loss is the cross entropy of the logits at every target."""

    def __init__(self, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self.tokenizer = inputs.tokenizer

    def targets(self, batch: Batch) -> int:
        return count_targets(batch["labels"])

    def outputs(self, network: Any, batch: Batch) -> Any:
        return self._inputs.forward(network, batch, TARGETS)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        return nll_sum(outputs.logits, batch["labels"])
