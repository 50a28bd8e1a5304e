"""What the evaluation needs of a task's metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.scoring import Score, Scored, total
from algorithms.shared.tasks.base import Batch, Example, ModelTask

LARGEST_LOSS = 700.0  # nats a target; e to it is the largest perplexity that a float holds


class Judge(ABC):
    """Of one model. `length`: tokens an example."""

    task: ClassVar[type[ModelTask]]
    headline: ClassVar[tuple[str, ...]]  # the figures of the table and of the plot, in order

    def __init__(self, model: LoadedModel, length: int) -> None:
        self.model, self.length = model, length

    def encode(self, fields: Mapping[str, Any]) -> Iterable[Example]:
        """A record's examples. Raises MalformedRecord."""
        return self.model.task.encode(fields, self.length)

    def observe(self, examples: Sequence[Example], batch: Batch, outputs: Any) -> Sequence[Any]:
        """What the figures need of each example's outputs, as plain numbers and texts."""
        return [None] * len(examples)

    @abstractmethod
    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        """By name; every one of `headline` is among them. At least one target counts."""

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        """What the report says of one sample beside its id and its targets."""
        return {"loss": scored.score.loss} if scored.score.targets else {}


def loss_of(scored: Sequence[Scored]) -> float:
    """Of all samples together, in nats a target."""
    return total(one.score for one in scored).loss


def perplexed(score: Score) -> dict[str, float]:
    """Loss and perplexity; nothing where nothing was predicted."""
    return {"loss": score.loss, "perplexity": score.perplexity} if score.targets else {}


def class_names(model: LoadedModel) -> list[str]:
    """A classifier's labels, in the order of its outputs."""
    labels = model.network.config.id2label
    return [str(labels[number]) for number in sorted(labels)]
