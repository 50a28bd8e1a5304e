"""Next-token prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from algorithms.shared.tasks.base import IGNORED, Batch, Example, PackableTask
from algorithms.shared.tasks.inputs import text_of
from algorithms.shared.tasks.token_targets import TokenTargets


class CausalLM(TokenTargets, PackableTask):
    """Each token but the first is predicted from those before it.

    An example holds one token more than goes in: the last one is only predicted. Pieces of a long
    text overlap by that token, so each token but the very first is a target exactly once.
    """

    name = "causal-lm"
    columns = ("text",)
    overlap = 1

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

    @property
    def first_token(self) -> int | None:
        """What stands before a document, so that its first token has a context too."""
        begin: int | None = self.tokenizer.bos_token_id
        return self.tokenizer.eos_token_id if begin is None else begin

    def _opened(self, records: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        before = [] if self.first_token is None else [self.first_token]
        texts = [text_of(fields, "text") for fields in records]
        return [before + tokens for tokens in self._inputs.tokens(texts)]
