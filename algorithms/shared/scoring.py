"""How well a model predicts: sums in nats over all targets, divided at the end.

A mean of means would move with the length of the samples and with the number of ranks. The batches
are the same on any number of ranks, so every figure is too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from algorithms.shared.data.base import Record
from algorithms.shared.data.records import place
from algorithms.shared.failures import MalformedDataset
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Batch, Example, MalformedRecord, ModelTask
from algorithms.shared.training.batches import on_device

LOGITS_AT_ONCE = 2**27  # numbers: half a gigabyte as float32
TOKENS_AT_ONCE = 8192

Encode = Callable[[Mapping[str, Any]], Iterable[Example]]
Observe = Callable[[Sequence[Example], Batch, Any], Sequence[Any]]


@dataclass(frozen=True)
class Score:
    """Of one sample, or of many: `nats`, summed over `targets` predicted targets."""

    nats: float
    targets: int

    @property
    def loss(self) -> float:
        """Nats a target."""
        return self.nats / self.targets

    @property
    def perplexity(self) -> float:
        """e to the loss. Raises OverflowError above 709 nats a target."""
        return math.exp(self.loss)


@dataclass(frozen=True)
class Scored:
    """One record. `seen`: what was observed of each of its examples, in their order."""

    score: Score
    seen: tuple[Any, ...]


@dataclass(frozen=True)
class _Row:
    """One example: `number` counts all examples, `record` says whose it is."""

    number: int
    record: int
    example: Example

    @property
    def length(self) -> int:
        labels = self.example.get("labels")
        return max(len(self.example["input_ids"]), len(labels) if labels else 0)


@dataclass(frozen=True)
class _Result:
    row: int
    nats: float
    targets: int
    seen: Any


def total(scores: Iterable[Score]) -> Score:
    """All targets of all samples together."""
    every = list(scores)
    return Score(math.fsum(s.nats for s in every), sum(s.targets for s in every))


def observe_nothing(examples: Sequence[Example], _batch: Batch, _outputs: Any) -> Sequence[Any]:
    """For those who want the loss alone."""
    return [None] * len(examples)


def score_records(
    model: LoadedModel,
    records: Sequence[Record],
    ranks: Ranks,
    encode: Encode,
    observe: Observe = observe_nothing,
    on_scored: Callable[[float, Score], None] = lambda _done, _score: None,
) -> list[Scored]:
    """One score a record, on every rank; each rank computes its share of the batches.

    `encode`: a record's fields to examples, usually `model.task.encode` of some length. `observe`:
    of a batch, one thing for each of its examples, such as a prediction; it travels between the
    ranks. `on_scored`: the fraction done, and this rank's score so far. Raises MalformedDataset.
    """
    model.network.eval()
    rows = list(_rows(records, encode))
    batches = list(_batches(rows, tokens_at_once(model)))
    mine: list[_Result] = []
    so_far = Score(0.0, 0)
    share = ranks.share(batches)
    for done, batch in enumerate(share, start=1):
        results = _score(model, batch, observe)
        mine += results
        so_far = total([so_far, *(Score(r.nats, r.targets) for r in results)])
        on_scored(done / len(share), so_far)
    return _by_record(len(records), rows, ranks.gather(mine))


def tokens_at_once(model: LoadedModel) -> int:
    """So that the logits, the largest thing there is, don't fill the memory."""
    vocabulary = getattr(model.network.config.get_text_config(), "vocab_size", None) or 1
    return min(TOKENS_AT_ONCE, max(1, LOGITS_AT_ONCE // vocabulary))


def _rows(records: Sequence[Record], encode: Encode) -> Iterator[_Row]:
    number = 0
    for index, record in enumerate(records):
        try:
            for example in encode(record.fields):
                yield _Row(number, index, example)
                number += 1
        except MalformedRecord as error:
            raise MalformedDataset(f"{place(record.id)}: {error}") from error


def _batches(rows: Sequence[_Row], tokens: int) -> Iterator[list[_Row]]:
    """Of examples of like length, the longest first: what doesn't fit shows at once."""
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda row: (-row.length, row.number)):
        if batch and (len(batch) + 1) * batch[0].length > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@torch.inference_mode()
def _score(model: LoadedModel, rows: Sequence[_Row], observe: Observe) -> list[_Result]:
    examples = [row.example for row in rows]
    batch = model.task.collate(examples)
    if not _padding_is_harmless(model.task, examples, batch):
        return [result for row in rows for result in _score(model, [row], observe)]
    batch = on_device(batch, model.network.device)
    outputs = model.task.outputs(model.network, batch)
    seen = observe(examples, batch, outputs)
    return [
        _result(model.task, row.number, seen[index], *_one(index, batch, outputs))
        for index, row in enumerate(rows)
    ]


def _padding_is_harmless(task: ModelTask, examples: Sequence[Example], batch: Batch) -> bool:
    """A causal model can't see what stands to the right; another needs a mask, if it takes one."""
    even = len({len(example["input_ids"]) for example in examples}) == 1
    return even or task.name == "causal-lm" or "attention_mask" in batch


def _one(index: int, batch: Batch, outputs: Any) -> tuple[Batch, Any]:
    """One row of a batch, and of the outputs."""
    row = {name: tensor[index : index + 1] for name, tensor in batch.items()}
    tensors = {n: v for n, v in outputs.items() if isinstance(v, torch.Tensor) and v.dim()}
    own = {name: tensor[index : index + 1] for name, tensor in tensors.items()}
    return row, SimpleNamespace(**own)


def _result(task: ModelTask, number: int, seen: Any, row: Batch, outputs: Any) -> _Result:
    return _Result(number, float(task.loss_sum(outputs, row)), task.targets(row), seen)


def _by_record(count: int, rows: Sequence[_Row], results: Sequence[_Result]) -> list[Scored]:
    own: list[list[_Result]] = [[] for _ in range(count)]
    for result in sorted(results, key=lambda result: result.row):
        own[rows[result.row].record].append(result)
    return [
        Scored(total(Score(r.nats, r.targets) for r in each), tuple(r.seen for r in each))
        for each in own
    ]
