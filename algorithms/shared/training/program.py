"""Training from its inputs to its outputs: what `train` and `pretrain` share.

Load, tokenise, score what is held out, train (on from the last checkpoint, if there is one), score
again, save.
"""

from __future__ import annotations

import time

from algorithms.shared.inputs import Task
from algorithms.shared.outputs.samples import predictions
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.held_out import score_held_out
from algorithms.shared.training.loop import Hooks, Loop
from algorithms.shared.training.memory import explained_memory
from algorithms.shared.training.parameters import P, TrainingParameters
from algorithms.shared.training.records import Score, StepRecord, TrainingState
from algorithms.shared.training.result import training_run
from algorithms.shared.training.setup import Setup, set_up
from algorithms.shared.training.source import ModelSource
from algorithms.shared.training.speed import Figures, Used, gpu_use


def train(task: Task[P], source: ModelSource, ranks: Ranks) -> None:
    """Called by all ranks together. Raises the failures of algorithms.shared.failures, and after
    SIGTERM or Ctrl-C SystemExit(143 or 130)."""
    with explained_memory(task.parameters, ranks):
        setup = set_up(task, source, ranks)
        state = _state_at_start(setup, ranks)
        _make_steps(setup, state, ranks)
        after = _score(setup, ranks)
        answers = predictions(setup.model, setup.data.held_out)
        weights = setup.engine.full_weights()
        if weights is not None:
            from algorithms.shared.outputs.write import write_results  # loads matplotlib: 1 s

            source.save(setup.model, weights, task.outputs / "model")
            write_results(task, training_run(setup, state, after, answers))
    setup.checkpoints.remove()


def _state_at_start(setup: Setup, ranks: Ranks) -> TrainingState:
    """That of the last checkpoint, or the one before the first step."""
    state = setup.checkpoints.restore(setup.engine)
    if state is None:
        before = _score(setup, ranks)
        return TrainingState(before, predictions(setup.model, setup.data.held_out))
    if ranks.is_first:
        print(f"Going on from the checkpoint of step {state.step}.", flush=True)
    return state


def _score(setup: Setup, ranks: Ranks) -> Score | None:
    task, records = setup.model.task, setup.data.held_out
    return score_held_out(setup.engine, task, records, setup.length, ranks, setup.dtype)


def _make_steps(setup: Setup, state: TrainingState, ranks: Ranks) -> None:
    progress = Progress(setup.steps, enabled=ranks.is_first, done_steps=state.step)
    figures, clock = Figures(_used(setup, ranks)), _CheckpointClock(setup.parameters)

    def tell(record: StepRecord, seconds: float) -> None:
        progress.report(record.step, figures.of(record, seconds))

    def save(state: TrainingState) -> None:
        setup.checkpoints.save(setup.engine, state)
        clock.saved()

    task, examples = setup.model.task, setup.data.training
    loop = Loop(setup.engine, task, examples, setup.parameters, setup.steps, ranks)
    loop.run(state, Hooks(on_step=tell, save=save, due=clock.due))


def _used(setup: Setup, ranks: Ranks) -> Used | None:
    return gpu_use(setup.model.network, setup.facts, setup.length, ranks)


class _CheckpointClock:
    """Every so many steps, and at the latest after so many minutes."""

    def __init__(self, parameters: TrainingParameters) -> None:
        self._every_steps = parameters.checkpoint_steps
        self._every_seconds = parameters.checkpoint_minutes * 60
        self.saved()

    def due(self, step: int) -> bool:
        """After this many steps."""
        if self._every_steps and step % self._every_steps == 0:
            return True
        return time.monotonic() - self._saved_at >= self._every_seconds

    def saved(self) -> None:
        """Now."""
        self._saved_at = time.monotonic()
