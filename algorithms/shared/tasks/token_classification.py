"""One label for each word of a text."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from algorithms.shared.tasks.base import IGNORED, Batch, Example, MalformedRecord
from algorithms.shared.tasks.inputs import ModelInputs, list_of
from algorithms.shared.tasks.labels import known_index
from algorithms.shared.tasks.token_targets import TokenTargets


class TokenClassification(TokenTargets):
    """Columns `tokens` (words) and `labels`, of equal length. A word's first token is its target;
    those after it, and special ones, count for nothing."""

    name = "token-classification"
    columns = ("tokens", "labels")

    def __init__(self, inputs: ModelInputs) -> None:
        super().__init__(inputs)
        self.labels = inputs.labels

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """As many rows as the text takes; a cut may fall inside a word, never lose one."""
        words, labels = self._words(fields)
        ends = list(itertools.accumulate(len(word) + 1 for word in words))
        encoded = self.tokenizer(
            " ".join(words),
            truncation=True,
            max_length=length,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        seen: set[int] = set()
        for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            yield {"input_ids": list(ids), "labels": _targets(offsets, ends, labels, seen)}

    def settings(self) -> Mapping[str, Any]:
        return {"labels": list(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = self._inputs.batch(examples)
        batch["labels"] = self._inputs.rows([e["labels"] for e in examples], IGNORED)
        return batch

    def _words(self, fields: Mapping[str, Any]) -> tuple[list[str], list[int]]:
        words, labels = list_of(fields, "tokens"), list_of(fields, "labels")
        if len(words) != len(labels):
            raise MalformedRecord(f"there are {len(words)} tokens, but {len(labels)} labels.")
        if not all(isinstance(word, str) for word in words):
            raise MalformedRecord("tokens must be a list of strings.")
        return words, [known_index(self.labels, label) for label in labels]


def _targets(
    offsets: Sequence[tuple[int, int]], ends: Sequence[int], labels: Sequence[int], seen: set[int]
) -> list[int]:
    """A token belongs to the word its last character lies in; `ends` count the space behind."""
    targets = [IGNORED] * len(offsets)
    for place, (start, end) in enumerate(offsets):
        if end > start:
            word = bisect.bisect_left(ends, end)
            if word not in seen:
                targets[place] = labels[word]
                seen.add(word)
    return targets
