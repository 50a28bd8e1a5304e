"""One label a text: how many are right, and F1 with every class counting the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from algorithms.evaluate.judges.base import Judge, class_names, loss_of
from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.scoring import Scored
from algorithms.shared.tasks.base import Batch, Example
from algorithms.shared.tasks.sequence_classification import SequenceClassification


class ClassJudge(Judge):
    """Observes (expected, predicted), numbers of classes."""

    task = SequenceClassification
    headline = ("accuracy", "macroF1", "loss")

    def __init__(self, model: LoadedModel, length: int) -> None:
        super().__init__(model, length)
        self._names = class_names(model)

    def observe(self, examples: Sequence[Example], batch: Batch, outputs: Any) -> Sequence[Any]:
        predicted = outputs.logits.argmax(-1).tolist()
        return list(zip(batch["labels"].tolist(), predicted, strict=True))

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        pairs = [pair for one in scored for pair in one.seen]
        return {
            "accuracy": sum(expected == predicted for expected, predicted in pairs) / len(pairs),
            "macroF1": macro_f1(pairs),
            "loss": loss_of(scored),
        }

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        names = [(self._names[one], self._names[other]) for one, other in scored.seen]
        told = [{"expected": expected, "predicted": predicted} for expected, predicted in names]
        return {**super().sample(record, scored), **(told[0] if told else {})}


def macro_f1(pairs: Sequence[tuple[int, int]]) -> float:
    """Of (expected, predicted): F1 of each class that is among either, and their mean."""
    expected, predicted = (Counter(column) for column in zip(*pairs, strict=True))
    right = Counter(one for one, other in pairs if one == other)
    classes = expected.keys() | predicted.keys()
    return sum(2 * right[c] / (expected[c] + predicted[c]) for c in classes) / len(classes)
