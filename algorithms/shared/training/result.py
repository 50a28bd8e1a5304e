"""A finished run in the words of its report."""

from __future__ import annotations

from collections.abc import Sequence

from algorithms.shared.outputs.record import HeldOutPoint, LossPoint, Prediction, TrainingRun
from algorithms.shared.training.records import Score, TrainingState
from algorithms.shared.training.setup import Setup


def training_run(
    setup: Setup, state: TrainingState, after: Score | None, answers: Sequence[Prediction]
) -> TrainingRun:
    """With the steps of earlier attempts."""
    measured = {0: state.before, setup.steps: after}
    return TrainingRun(
        task_name=setup.model.task.name,
        losses=[LossPoint(r.step, r.loss, r.learning_rate, r.targets) for r in state.records],
        seconds=state.seconds,
        samples=setup.data.samples,
        before=_figures(state.before),
        after=_figures(after),
        held_out=[HeldOutPoint(step, s.loss) for step, s in measured.items() if s],
        held_out_samples=len(setup.data.held_out),
        predictions_before=state.predictions_before,
        predictions_after=answers,
        figures=_more_figures(state, after),
        data_fingerprint=setup.data.fingerprint,
    )


def _figures(score: Score | None) -> dict[str, float]:
    return {"loss": score.loss} if score else {}


def _more_figures(state: TrainingState, after: Score | None) -> dict[str, float]:
    tokens = sum(record.tokens for record in state.records)
    speed = {"tokensPerSecond": round(tokens / max(state.seconds, 1e-9), 1)}
    return speed | ({"heldOutTokens": float(after.targets)} if after else {})
