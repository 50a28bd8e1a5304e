"""The training loop: steps, over any engine; the same result on any number of ranks.

A step's loss is the sum over all its targets on all ranks, divided by their number, which every
rank knows before the first gradient; so unequal shares and padding weigh what they should.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from algorithms.shared.data.base import ExampleStore
from algorithms.shared.data.order import row_order
from algorithms.shared.failures import NaNLoss
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Batch, Example, ModelTask
from algorithms.shared.training.batches import on_device, token_count
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.randomness import seed_step
from algorithms.shared.training.records import StepRecord, TrainingState
from algorithms.shared.training.schedule import learning_rate
from algorithms.shared.training.signals import StopRequest, stop_on_signal


@dataclass(frozen=True)
class Hooks:
    """What is done around the steps. `save` is called by all ranks after the same step."""

    on_step: Callable[[StepRecord, float], None]  # with the seconds that it took
    save: Callable[[TrainingState], None]
    due: Callable[[int], bool]  # rank 0's counts: whether to save after this many steps


@dataclass(frozen=True)
class _Totals:
    """Over all ranks: a step's loss, and what is to be done after it."""

    loss: float
    stop: bool
    save: bool


class Loop:
    """Holds what lives as long as the steps."""

    def __init__(
        self,
        engine: Engine,
        task: ModelTask,
        examples: ExampleStore,
        parameters: TrainingParameters,
        steps: int,
        ranks: Ranks,
    ) -> None:
        self._engine, self._task, self._examples = engine, task, examples
        self._parameters, self._steps, self._ranks = parameters, steps, ranks
        self._rows: Iterator[int] = iter(())
        self._copies = ranks.world_size // engine.data_ranks  # of each row, over all ranks

    def run(self, state: TrainingState, hooks: Hooks) -> None:
        """The steps that are left, noted in `state`. Raises NaNLoss; on SIGTERM or Ctrl-C to any
        rank, after a checkpoint, SystemExit(143 or 130)."""
        self._engine.network.train()
        batch_size, seed = self._parameters.batch_size, self._parameters.seed
        self._rows = row_order(len(self._examples), seed, start=state.step * batch_size)
        with stop_on_signal() as request:
            while state.step < self._steps:
                totals = self._step(state, hooks, request)
                if totals.stop or (totals.save and state.step < self._steps):
                    hooks.save(state)
                if totals.stop:
                    self._tell_stop(state.step)
                    raise SystemExit(request.exit_code)

    def _tell_stop(self, step: int) -> None:
        if self._ranks.is_first:
            print(f"Stopped after step {step}. Started again as it was, it goes on from here.")

    def _step(self, state: TrainingState, hooks: Hooks, request: StopRequest) -> _Totals:
        step, started_at = state.step, time.monotonic()
        seed_step(self._parameters.seed, step, self._engine.data_rank)
        parts = [self._task.collate(examples) for examples in self._parts(step)]
        tokens, targets = self._counts(parts)
        nats = self._gradients(parts, max(1, targets))
        totals = self._totals(nats, max(1, targets), request.received, hooks.due(step + 1))
        self._refuse_nan("loss", totals.loss, step)
        rate, norm = self._update(step)
        record = StepRecord(step + 1, totals.loss, rate, norm, tokens, targets)
        state.records.append(record)
        seconds = time.monotonic() - started_at
        state.seconds += seconds
        hooks.on_step(record, seconds)
        return totals

    def _parts(self, step: int) -> Iterator[list[Example]]:
        """This rank's of the next examples, in as many parts as wanted."""
        size = self._parameters.batch_size
        batch = enumerate(itertools.islice(self._rows, size), start=step * size)
        rows = list(batch)[self._engine.data_rank :: self._engine.data_ranks]
        count = self._parameters.gradient_accumulation
        for index in range(count):
            yield [self._example(*row) for row in rows[index::count]]

    def _example(self, position: int, row: int) -> Example:
        """With a seed of its epoch's own: a task that masks tokens masks others each time."""
        epoch = position // len(self._examples)
        return {**self._examples[row], "seed": self._parameters.seed + epoch}

    def _counts(self, parts: Sequence[Batch]) -> tuple[int, int]:
        """Tokens and targets of the whole batch, on every rank."""
        own = [sum(map(token_count, parts)), sum(map(self._task.targets, parts))]
        tokens, targets = self._ranks.sum(own)
        return round(tokens / self._copies), round(targets / self._copies)

    def _gradients(self, parts: Sequence[Batch], targets: int) -> float:
        """Returns this rank's nats; gradients are exchanged with the last part."""
        nats = [
            self._engine.backward(
                self._task, on_device(part, self._ranks.device), 1 / targets, index == len(parts)
            )
            for index, part in enumerate(parts, start=1)
        ]
        return float(torch.stack(nats).double().sum())

    def _totals(self, nats: float, targets: int, stop: bool, due: bool) -> _Totals:
        """One rank that was told to end ends all; rank 0's clock counts for all."""
        save = due and self._ranks.is_first
        all_nats, stops, saves = self._ranks.sum([nats, float(stop), float(save)])
        return _Totals(all_nats / self._copies / targets, stops > 0, saves > 0)

    def _update(self, step: int) -> tuple[float, float]:
        """The learning rate and the gradient's norm. Raises NaNLoss rather than spoil weights."""
        rate = learning_rate(step, self._steps, self._parameters)
        norm = self._engine.step(rate, self._parameters.gradient_clip)
        self._refuse_nan("gradient's norm", norm, step)
        return rate, norm

    def _refuse_nan(self, figure: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            rate = self._parameters.learning_rate
            advice = f"lower learningRate (now {rate:g}), or set gradientClip"
            raise NaNLoss(
                f"The {figure} is {value} at step {step + 1}: "
                + (advice if step else "the model's weights are damaged")
            )
