"""Next-token prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import IGNORED, Batch, Example, PackableTask
from algorithms.shared.tasks.inputs import ModelInputs, count_targets, nll_sum, text_of

TARGETS = frozenset({"labels"})


class CausalLM(PackableTask):
    """Each token but the first is predicted from those before it.

    An example holds one token more than goes in: the last one is only predicted. Pieces of a long
    text overlap by that token, so each token but the very first is a target exactly once.
    """

    name = "causal-lm"
    columns = ("text",)
    overlap = 1

    def __init__(self, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self.tokenizer = inputs.tokenizer

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """`<begin> text`, with no end: a prompt or an excerpt isn't asked to end."""
        [tokens] = self._opened([fields])
        for start in range(0, len(tokens) - 1, length):
            yield self.block(tokens[start : start + length + 1])

    def streams(self, records: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        """`<begin> text <end>`; one token between where both are the same."""
        end = self.tokenizer.eos_token_id
        after = [] if end is None or end == self.first_token else [end]
        return [[*tokens, *after] for tokens in self._opened(records)]

    def block(self, tokens: Sequence[int]) -> Example:
        return {"input_ids": tokens}

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = self._inputs.batch([{"input_ids": e["input_ids"][:-1]} for e in examples])
        batch["labels"] = self._inputs.rows([e["input_ids"][1:] for e in examples], IGNORED)
        return batch

    def targets(self, batch: Batch) -> int:
        return count_targets(batch["labels"])

    def outputs(self, network: Any, batch: Batch) -> Any:
        return self._inputs.forward(network, batch, TARGETS)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        return nll_sum(outputs.logits, batch["labels"])

    @property
    def first_token(self) -> int | None:
        """What stands before a document, so that its first token has a context too."""
        begin: int | None = self.tokenizer.bos_token_id
        return self.tokenizer.eos_token_id if begin is None else begin

    def _opened(self, records: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        before = [] if self.first_token is None else [self.first_token]
        texts = [text_of(fields, "text") for fields in records]
        return [before + tokens for tokens in self._inputs.tokens(texts)]
