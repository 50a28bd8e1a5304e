"""Tasks simple enough to check by hand, on a tokenizer of one token a byte (0 begins, 1 ends)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import (
    Batch,
    Example,
    MalformedRecord,
    ModelTask,
    PackableTask,
)
from examples.story_data.tiny import byte_tokenizer

BEGIN, END = 0, 1


def tokens_of(text: str) -> list[int]:
    ids: list[int] = byte_tokenizer()(text)["input_ids"]
    return ids


class _Texts(ModelTask):
    name = "causal-lm"
    columns = ("text",)

    def __init__(self) -> None:
        self.tokenizer = byte_tokenizer()

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        tokens = self._tokens(fields)
        for start in range(0, len(tokens), length):
            yield {"input_ids": tokens[start : start + length], "start": start}

    def _tokens(self, fields: Mapping[str, Any]) -> list[int]:
        if not isinstance(fields["text"], str):
            raise MalformedRecord("the column text holds no text")
        ids: list[int] = self.tokenizer(fields["text"])["input_ids"]
        return ids

    def collate(self, examples: Sequence[Example]) -> Batch:
        raise NotImplementedError

    def targets(self, batch: Batch) -> int:
        raise NotImplementedError

    def outputs(self, network: Any, batch: Batch) -> Any:
        raise NotImplementedError

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        raise NotImplementedError


class PaddedTexts(_Texts):
    """An example is a piece of a text."""


class PackedTexts(_Texts, PackableTask):
    """Blocks overlap by one token, as next-token prediction wants it."""

    overlap = 1

    def streams(self, records: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        return [[BEGIN, *self._tokens(fields), END] for fields in records]

    def block(self, tokens: Sequence[int]) -> Example:
        return {"input_ids": list(tokens)}
