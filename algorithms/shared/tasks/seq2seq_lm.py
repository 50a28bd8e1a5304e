"""A target text from a source text, by an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from algorithms.shared.tasks.base import IGNORED, Batch, Example
from algorithms.shared.tasks.inputs import text_of
from algorithms.shared.tasks.token_targets import TokenTargets


class Seq2SeqLM(TokenTargets):
    """The decoder reads the target shifted by one, behind the config's decoder_start_token_id."""

    name = "seq2seq-lm"
    columns = ("source", "target")

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

    def _ended(self, target: list[int], length: int) -> list[int]:
        """With an end, if the tokenizer sets none itself: else generation would never stop."""
        end = self.tokenizer.eos_token_id
        if end is None or end in target:
            return target
        return [*target[: length - 1], end]
