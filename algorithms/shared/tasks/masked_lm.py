"""Prediction of hidden tokens from both sides (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import IGNORED, Batch, Example, PackableTask
from algorithms.shared.tasks.inputs import ModelInputs, text_of
from algorithms.shared.tasks.token_targets import TokenTargets

CHOSEN = 0.15  # of the tokens are to be predicted, one at least
MASKED, REPLACED = 0.8, 0.1  # of the chosen; the rest stays as it is


class MaskedLM(TokenTargets, PackableTask):
    """Which tokens are hidden follows from the example's tokens and its `seed` (0 if it has none):
    the same on every rank and in every run."""

    name = "masked-lm"
    columns = ("text",)

    def __init__(self, inputs: ModelInputs) -> None:
        super().__init__(inputs)
        self._special = set(self.tokenizer.all_special_ids)
        self._ordinary = sorted(set(self.tokenizer.get_vocab().values()) - self._special)

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """`<cls> text <sep>`, in as many rows as it takes."""
        [tokens] = self._inputs.tokens([text_of(fields, "text")])
        before, after = self._inputs.frame
        room = max(1, length - len(before) - len(after))
        for start in range(0, len(tokens), room):
            yield self.block([*before, *tokens[start : start + room], *after])

    def streams(self, records: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        """`<cls> text <sep>`, one behind the other (Liu et al. 2019, "full sentences")."""
        texts = [text_of(fields, "text") for fields in records]
        before, after = self._inputs.frame
        return [[*before, *tokens, *after] for tokens in self._inputs.tokens(texts)]

    def block(self, tokens: Sequence[int]) -> Example:
        return {"input_ids": tokens}

    def collate(self, examples: Sequence[Example]) -> Batch:
        hidden = [self._hide(list(e["input_ids"]), e.get("seed", 0)) for e in examples]
        batch = self._inputs.batch([{"input_ids": row} for row, _ in hidden])
        batch["labels"] = self._inputs.rows([targets for _, targets in hidden], IGNORED)
        return batch

    def _hide(self, row: list[int], seed: int) -> tuple[list[int], list[int]]:
        """What goes in, and what is to be predicted."""
        generator = torch.Generator().manual_seed(zlib.crc32(array("q", row)) + int(seed))
        targets = [IGNORED] * len(row)
        for place in self._chosen(row, generator):
            targets[place] = row[place]
            row[place] = self._instead(row[place], generator)
        return row, targets

    def _chosen(self, row: Sequence[int], generator: torch.Generator) -> list[int]:
        places = [place for place, token in enumerate(row) if token not in self._special]
        count = max(1, round(CHOSEN * len(places)))
        order = torch.randperm(len(places), generator=generator).tolist()
        return [places[index] for index in order[:count]]

    def _instead(self, token: int, generator: torch.Generator) -> int:
        draw = float(torch.rand((), generator=generator))
        if draw < MASKED:
            return int(self.tokenizer.mask_token_id)
        if draw < MASKED + REPLACED:
            other = int(torch.randint(len(self._ordinary), (), generator=generator))
            return int(self._ordinary[other])
        return token
