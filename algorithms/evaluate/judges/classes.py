"""One label a text: how many are right, and F1 with every class counting the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.metrics import accuracy_score, f1_score

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
        """Macro-averaged over the classes that the samples, or the predictions, have."""
        pairs = [pair for one in scored for pair in one.seen]
        expected, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return {
            "accuracy": float(accuracy_score(expected, predicted)),
            "macroF1": float(f1_score(expected, predicted, average="macro", zero_division=0)),
            "loss": loss_of(scored),
        }

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        names = [(self._names[one], self._names[other]) for one, other in scored.seen]
        told = [{"expected": expected, "predicted": predicted} for expected, predicted in names]
        return {**super().sample(record, scored), **(told[0] if told else {})}
