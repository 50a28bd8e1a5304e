"""Evaluate: choose the samples, score them with each model, write one report."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from algorithms.evaluate.parameters import EvaluateParameters
from algorithms.shared.failures import EmptyDataset, NaNLoss
from algorithms.shared.inputs import Task
from algorithms.shared.language_model import arithmetic_dtype, load
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.report import write_report
from algorithms.shared.scoring import Score, score_texts, total
from algorithms.shared.text import Sample, read_samples

DEFAULT_LENGTH = 1024
LARGEST_LOSS = 700.0  # nats a token; e to it is the largest perplexity that a float holds


def run(task: Task[EvaluateParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        models, samples = task.models(), choose(task)
        progress = Progress(len(models) * len(ranks.share(samples)), enabled=ranks.is_first)
        rows: list[dict[str, Any]] = []
        for name, folder in models.items():
            done = len(rows) * len(ranks.share(samples))
            rows.append(_row(task, name, folder, samples, ranks, _reporter(progress, done)))
        if ranks.is_first:
            _write(task, samples, rows)


def choose(task: Task[EvaluateParameters]) -> list[Sample]:
    """The prompts, or random samples of the text in the order they stand there."""
    wanted = task.parameters
    if wanted.prompts:
        prompts = [Sample(f"prompt:{n}", text) for n, text in enumerate(wanted.prompts, start=1)]
        return [prompt for prompt in prompts if prompt.text.strip()] or _no_prompts()
    samples = read_samples(task.file_input("text"))
    count = min(wanted.samples, len(samples))
    return [
        samples[i] for i in sorted(random.Random(wanted.seed).sample(range(len(samples)), count))
    ]


def _no_prompts() -> list[Sample]:
    raise EmptyDataset("Every prompt in parameters.prompts is blank.")


def _reporter(progress: Progress, done: int) -> Callable[[Sequence[Score]], None]:
    """`loss`: of the present model, over the samples so far."""
    return lambda scores: progress.report(done + len(scores), {"loss": total(scores).loss})


def _row(
    task: Task[EvaluateParameters],
    name: str,
    folder: Path,
    samples: Sequence[Sample],
    ranks: Ranks,
    on_scored: Callable[[Sequence[Score]], None],
) -> dict[str, Any]:
    """One model's line of the report. It is loaded here, so that one at a time is in memory."""
    dtype = arithmetic_dtype(task.parameters.dtype, ranks.device)
    model = load(folder, ranks.device, dtype)
    length = model.window(task.parameters.block_length, DEFAULT_LENGTH)
    texts = [sample.text for sample in samples]
    scores = score_texts(model, texts, length, ranks, on_scored)
    _refuse_nan(name, scores)
    each = zip(samples, scores, strict=True)
    return {
        "model": name,
        **_figures(total(scores)),
        "bitsPerByte": bits_per_byte(total(scores), texts),
        "samples": [{"id": sample.id, **_figures(score)} for sample, score in each],
    }


def _refuse_nan(name: str, scores: Sequence[Score]) -> None:
    for score in scores:
        if not score.loss < LARGEST_LOSS:
            raise NaNLoss(
                f"The model {name} has a loss of {score.loss} nats a token: its weights are "
                "damaged, or of another architecture than its config.json says."
            )


def _figures(score: Score) -> dict[str, float]:
    return {"loss": score.loss, "perplexity": score.perplexity, "tokens": score.tokens}


def bits_per_byte(score: Score, texts: Sequence[str]) -> float:
    """Comparable between models whose tokenizers differ, as the loss a token is not."""
    return score.nll / math.log(2) / sum(len(text.encode()) for text in texts)


def _write(
    task: Task[EvaluateParameters], samples: Sequence[Sample], rows: Sequence[dict[str, Any]]
) -> None:
    figures = ("loss", "perplexity", "bitsPerByte")
    metrics = {f"{row['model']}.{figure}": row[figure] for row in rows for figure in figures}
    write_report(
        task,
        metrics,
        seed=task.parameters.seed,
        sampleIds=[sample.id for sample in samples],
        models=list(rows),
    )
