"""Extractive question answering: where in a context does the answer start and end.

A long context is read in overlapping rows; a row without the answer points to its first token, as
for questions without an answer (Devlin et al. 2019, section 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from algorithms.shared.tasks.base import Batch, Example, MalformedRecord, ModelTask
from algorithms.shared.tasks.inputs import ModelInputs, list_of, nll_sum, text_of

OVERLAP = 4  # rows share a fourth of their tokens, so that no answer is cut in all of them
TARGETS = frozenset({"start_positions", "end_positions"})
Span = tuple[int, int]  # characters in the context, the end excluded


class QuestionAnswering(ModelTask):
    """SQuAD's columns: `answers` is {"text": […], "answer_start": […]}; empty: no answer."""

    name = "question-answering"
    columns = ("question", "context", "answers")

    def __init__(self, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self.tokenizer = inputs.tokenizer

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """One example a row, with `start` and `end`: tokens, both included."""
        span = answer_span(fields)
        for row in self.rows_of(text_of(fields, "question"), text_of(fields, "context"), length):
            start, end = token_span(row["offsets"], span)
            yield {**{n: v for n, v in row.items() if n != "offsets"}, "start": start, "end": end}

    def encode_for_scoring(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """With `offsets` beside it: each token's characters in the context, None elsewhere."""
        span = answer_span(fields)
        for row in self.rows_of(text_of(fields, "question"), text_of(fields, "context"), length):
            start, end = token_span(row["offsets"], span)
            yield {**row, "start": start, "end": end}

    def rows_of(self, question: str, context: str, length: int) -> Iterator[dict[str, Any]]:
        """`input_ids`, `token_type_ids` where there are any, and `offsets`. A question that leaves
        less than half a row for the context is cut."""
        [asked] = self._inputs.tokens([question])
        if len(asked) > length // 2:
            question = self.tokenizer.decode(asked[: length // 2])
        encoded = self.tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=length,
            stride=length // (2 * OVERLAP),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )
        for number, ids in enumerate(encoded["input_ids"]):
            places = zip(
                encoded.sequence_ids(number), encoded["offset_mapping"][number], strict=True
            )
            row: dict[str, Any] = {"input_ids": list(ids)}
            if "token_type_ids" in encoded:
                row["token_type_ids"] = list(encoded["token_type_ids"][number])
            yield {
                **row,
                "offsets": [tuple(place) if part == 1 else None for part, place in places],
            }

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = self._inputs.batch(examples)
        batch["start_positions"] = torch.tensor([example["start"] for example in examples])
        batch["end_positions"] = torch.tensor([example["end"] for example in examples])
        return batch

    def targets(self, batch: Batch) -> int:
        """A start and an end a row."""
        return 2 * len(batch["start_positions"])

    def outputs(self, network: Any, batch: Batch) -> Any:
        return self._inputs.forward(network, batch, TARGETS)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        """Padding is no candidate: else a row's loss would depend on the rows beside it."""
        start = nll_sum(_unpadded(outputs.start_logits, batch), batch["start_positions"])
        return start + nll_sum(_unpadded(outputs.end_logits, batch), batch["end_positions"])


def _unpadded(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """[rows, length], minus infinity at padding."""
    mask = batch.get("attention_mask")
    return logits.float() if mask is None else logits.float().masked_fill(mask == 0, -math.inf)


def answer_span(fields: Mapping[str, Any]) -> Span | None:
    """The first answer's characters; None: there is none. Raises MalformedRecord."""
    answers = fields.get("answers")
    if not isinstance(answers, Mapping):
        raise MalformedRecord('answers must be {"text": ["…"], "answer_start": [0]}.')
    texts, starts = list_of(answers, "text"), list_of(answers, "answer_start")
    if not texts:
        return None
    text, start = texts[0], starts[0] if starts else None
    if not isinstance(text, str) or not isinstance(start, int):
        raise MalformedRecord("an answer's text must be a string, its answer_start a number.")
    if text_of(fields, "context")[start : start + len(text)] != text:
        raise MalformedRecord(f"the context doesn't have {text[:40]!r} at character {start}.")
    return start, start + len(text)


def token_span(offsets: Sequence[Span | None], span: Span | None) -> tuple[int, int]:
    """First and last token of the answer, or 0 and 0 where the row doesn't hold all of it."""
    if span is None:
        return 0, 0
    touched = [
        place
        for place, offset in enumerate(offsets)
        if offset and offset[0] < span[1] and offset[1] > span[0]
    ]
    inside = [offset for offset in offsets if offset and offset[1] > offset[0]]
    if not touched or inside[0][0] > span[0] or inside[-1][1] < span[1]:
        return 0, 0
    return touched[0], touched[-1]
