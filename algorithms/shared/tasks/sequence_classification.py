"""One label for a text, or for a pair of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import Batch, Example, ModelTask
from algorithms.shared.tasks.inputs import ModelInputs, nll_sum, text_of
from algorithms.shared.tasks.labels import known_index

TARGETS = frozenset({"labels"})


class SequenceClassification(ModelTask):
    """Columns `text` and `label`; `pair` too, where two texts are compared."""

    name = "sequence-classification"
    columns = ("text", "label")
    optional = ("pair",)

    def __init__(self, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self.tokenizer = inputs.tokenizer
        self.labels = inputs.labels

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """One example; what is longer than `length` is cut off."""
        texts = [text_of(fields, "text")]
        if fields.get("pair") is not None:
            texts.append(text_of(fields, "pair"))
        label = known_index(self.labels, fields.get("label"))
        encoded = self.tokenizer(*texts, truncation=True, max_length=length, verbose=False)
        if encoded["input_ids"]:
            kept = ("input_ids", "token_type_ids")
            yield {**{n: list(encoded[n]) for n in kept if n in encoded}, "label": label}

    def settings(self) -> Mapping[str, Any]:
        return {"labels": list(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = self._inputs.batch(examples)
        return {**batch, "labels": torch.tensor([example["label"] for example in examples])}

    def targets(self, batch: Batch) -> int:
        return len(batch["labels"])

    def outputs(self, network: Any, batch: Batch) -> Any:
        return self._inputs.forward(network, batch, TARGETS)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        return nll_sum(outputs.logits, batch["labels"])
