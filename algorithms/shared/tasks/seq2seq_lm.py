"""A target text from a source text, by an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import IGNORED, Batch, Example, ModelTask
from algorithms.shared.tasks.inputs import ModelInputs, count_targets, nll_sum, text_of

TARGETS = frozenset({"labels"})


class Seq2SeqLM(ModelTask):
    """The decoder reads the target shifted by one, behind the config's decoder_start_token_id."""

    name = "seq2seq-lm"
    columns = ("source", "target")

    def __init__(self, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self.tokenizer = inputs.tokenizer

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """One example; what is longer than `length` is cut off, on either side."""
        limits = {"truncation": True, "max_length": length, "verbose": False}
        source = self.tokenizer(text_of(fields, "source"), **limits)["input_ids"]
        target = self.tokenizer(text_target=text_of(fields, "target"), **limits)["input_ids"]
        if source and target:
            yield {"input_ids": list(source), "labels": self._ended(list(target), length)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = self._inputs.batch(examples)
        targets = [example["labels"] for example in examples]
        shifted = [[self._inputs.decoder_start, *target[:-1]] for target in targets]
        batch["labels"] = self._inputs.rows(targets, IGNORED)
        batch["decoder_input_ids"] = self._inputs.rows(shifted, self._inputs.padding)
        return batch

    def targets(self, batch: Batch) -> int:
        return count_targets(batch["labels"])

    def outputs(self, network: Any, batch: Batch) -> Any:
        return self._inputs.forward(network, batch, TARGETS)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        return nll_sum(outputs.logits, batch["labels"])

    def _ended(self, target: list[int], length: int) -> list[int]:
        """With an end, if the tokenizer sets none itself: else generation would never stop."""
        end = self.tokenizer.eos_token_id
        if end is None or end in target:
            return target
        return [*target[: length - 1], end]
