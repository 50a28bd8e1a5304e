"""One label a word: how many are right, and of entities how many are found whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algorithms.evaluate.judges.base import Judge, class_names, loss_of
from algorithms.evaluate.judges.spans import are_entity_tags, found, precision_recall_f1
from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.scoring import Scored
from algorithms.shared.tasks.base import IGNORED, Batch, Example
from algorithms.shared.tasks.token_classification import TokenClassification


class WordJudge(Judge):
    """Observes two lists, expected and predicted: a label's number for each word of the row."""

    task = TokenClassification
    headline = ("entityF1", "accuracy", "loss")

    def __init__(self, model: LoadedModel, length: int) -> None:
        super().__init__(model, length)
        self._names = class_names(model)

    def observe(self, examples: Sequence[Example], batch: Batch, outputs: Any) -> Sequence[Any]:
        predicted = outputs.logits.argmax(-1)
        words = batch["labels"] != IGNORED
        return [
            (batch["labels"][row][words[row]].tolist(), predicted[row][words[row]].tolist())
            for row in range(len(examples))
        ]

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        """No entities are counted where the labels mark none (parts of speech)."""
        tags = [self._tags(one) for one in scored]
        right = [one == other for pair in tags for one, other in zip(*pair, strict=True)]
        figures = {"accuracy": sum(right) / len(right), "loss": loss_of(scored)}
        if not are_entity_tags(self._names):
            return figures
        counts = [found(expected, predicted) for expected, predicted in tags]
        precision, recall, f1 = precision_recall_f1(counts)
        return {
            **figures,
            "entityPrecision": precision,
            "entityRecall": recall,
            "entityF1": f1,
        }

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        expected, predicted = self._tags(scored)
        return {**super().sample(record, scored), "expected": expected, "predicted": predicted}

    def _tags(self, scored: Scored) -> tuple[list[str], list[str]]:
        """Of all the record's rows, one after the other: no word is in two."""
        expected = [self._names[number] for row in scored.seen for number in row[0]]
        predicted = [self._names[number] for row in scored.seen for number in row[1]]
        return expected, predicted
