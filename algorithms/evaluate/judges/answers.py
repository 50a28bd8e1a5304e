"""Extractive question answering: the best span of all a context's rows, judged as SQuAD does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from algorithms.evaluate.judges.base import Judge, loss_of
from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.scoring import Scored
from algorithms.shared.spans import SpanLogits, spans
from algorithms.shared.squad import exact_match, normalised, word_f1
from algorithms.shared.tasks.base import Batch, Example
from algorithms.shared.tasks.question_answering import QuestionAnswering

LONGEST_ANSWER = 30  # tokens


class AnswerJudge(Judge):
    """Observes of each row its best span: (score, first character, last, score of no answer).

    "No answer" is a possible prediction only if some of the samples have none.
    """

    task = QuestionAnswering
    headline = ("exactMatch", "f1", "loss")

    def __init__(self, model: LoadedModel, length: int) -> None:
        super().__init__(model, length)
        self._may_be_none = False

    def encode(self, fields: Mapping[str, Any]) -> Iterable[Example]:
        assert isinstance(self.model.task, QuestionAnswering)
        return self.model.task.encode_for_scoring(fields, self.length)

    def observe(self, examples: Sequence[Example], batch: Batch, outputs: Any) -> Sequence[Any]:
        return [
            best_span(start.float().cpu(), end.float().cpu(), example["offsets"])
            for example, start, end in zip(
                examples, outputs.start_logits, outputs.end_logits, strict=True
            )
        ]

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        self._may_be_none = any(not gold_answers(record) for record in records)
        pairs = [
            (self._predicted(record, one), gold_answers(record))
            for record, one in zip(records, scored, strict=True)
        ]
        return {
            "exactMatch": sum(exact_match(*pair) for pair in pairs) / len(pairs),
            "f1": sum(word_f1(*pair) for pair in pairs) / len(pairs),
            "loss": loss_of(scored),
        }

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        told = {"expected": gold_answers(record), "predicted": self._predicted(record, scored)}
        return {**super().sample(record, scored), **told}

    def _predicted(self, record: Record, scored: Scored) -> str:
        if not scored.seen:
            return ""
        score, start, end, _ = max(scored.seen)
        none = min(row[3] for row in scored.seen)
        if self._may_be_none and none > score:
            return ""
        return str(record.fields["context"][start:end])


def best_span(
    start: torch.Tensor, end: torch.Tensor, offsets: Sequence[tuple[int, int] | None]
) -> tuple[float, int, int, float]:
    """By the sum of the two logits, [length] each; the first token stands for no answer."""
    length = len(offsets)  # what is behind is padding
    starts, ends = start[:length].double().numpy(), end[:length].double().numpy()
    row = SpanLogits(offsets=offsets, starts=starts, ends=ends)
    best = next(spans(row, LONGEST_ANSWER, 1), (-math.inf, 0, 0))
    return (*best, row.no_answer)


def gold_answers(record: Record) -> list[str]:
    """Every text that counts as right; none: the question has no answer."""
    return [text for text in record.fields["answers"]["text"] if normalised(text)]
