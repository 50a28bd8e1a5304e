"""The loss on what is held out: sums over all targets, divided at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from algorithms.shared.data.base import Record
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Example, ModelTask
from algorithms.shared.training.batches import on_device
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.precision import precision
from algorithms.shared.training.records import Score


def score_held_out(
    engine: Engine,
    task: ModelTask,
    records: Sequence[Record],
    length: int,
    ranks: Ranks,
    dtype: torch.dtype,
) -> Score | None:
    """The same on every rank; None if nothing is held out, or nothing of it counts.

    Every rank makes as many forward passes as the others (where the weights are shared out, each
    pass needs all of them): one that has no example left repeats its first, and forgets the result.
    """
    examples = [example for record in records for example in task.encode(record.fields, length)]
    if not examples:
        return None
    engine.network.eval()
    rounds = math.ceil(len(examples) / engine.data_ranks)
    nats, targets = 0.0, 0
    for index in range(rounds):
        place = index * engine.data_ranks + engine.data_rank
        example = examples[place] if place < len(examples) else examples[0]
        one, count = _score(engine, task, example, ranks.device, dtype)
        if place < len(examples):
            nats, targets = nats + one, targets + count
    total_nats, total_targets = ranks.sum([nats, targets])
    copies = ranks.world_size // engine.data_ranks
    score = Score(total_nats / copies, round(total_targets / copies))
    return score if score.targets else None


@torch.no_grad()  # not inference mode: weights that ZeRO-3 gathers in it can't be trained after
def _score(
    engine: Engine, task: ModelTask, example: Example, device: torch.device, dtype: torch.dtype
) -> tuple[float, int]:
    batch = on_device(task.collate([example]), device)
    with precision(device, dtype):
        nats = task.loss_sum(task.outputs(engine.network, batch), batch)
    return float(nats), task.targets(batch)
