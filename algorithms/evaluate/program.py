"""Evaluate: choose the samples, score them with each model, write one report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from algorithms.evaluate import table
from algorithms.evaluate.choice import choose_records, common_task
from algorithms.evaluate.judges import JUDGES
from algorithms.evaluate.judges.base import LARGEST_LOSS, Judge
from algorithms.evaluate.parameters import EvaluateParameters
from algorithms.evaluate.plot import write_plot
from algorithms.shared.data.base import Record
from algorithms.shared.data.fingerprint import tokenizer_facts
from algorithms.shared.failures import EmptyDataset, NaNLoss, OutOfMemory
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.report import write_report
from algorithms.shared.scoring import Score, Scored, score_records, total
from algorithms.shared.training.precision import arithmetic_dtype

DEFAULT_LENGTH = 1024


def run(task: Task[EvaluateParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        try:
            _run(task, ranks)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"The GPU's memory is too small: lower blockLength, or set dtype to bfloat16 "
                f"({error})."
            ) from error


def _run(task: Task[EvaluateParameters], ranks: Ranks) -> None:
    models = task.models()
    name = common_task(task.parameters.task, models)
    records = choose_records(task, JUDGES[name])
    progress = Progress(len(models) * len(records), enabled=ranks.is_first)
    rows: list[dict[str, Any]] = []
    for model_name, folder in models.items():
        report = _reporter(progress, len(rows) * len(records), len(records))
        judge = _judge(task, JUDGES[name], folder, ranks)
        scored = score_records(judge.model, records, ranks, judge.encode, judge.observe, report)
        rows.append(_row(model_name, judge, records, scored))
    if ranks.is_first:
        _write(task, records, rows, JUDGES[name])


def _reporter(progress: Progress, before: int, samples: int) -> Callable[[float, Score], None]:
    """`loss`: of the present model, over what is done; a batch may hold parts of samples."""

    def report(done: float, score: Score) -> None:
        figures = {"loss": score.loss} if score.targets else {}
        progress.report(before + round(done * samples), figures)

    return report


def _judge(task: Task[EvaluateParameters], kind: type[Judge], folder: Path, ranks: Ranks) -> Judge:
    """With its model: one at a time is in memory."""
    dtype = arithmetic_dtype(task.parameters.dtype, ranks.device)
    model = load(LoadRequest(folder, kind.task.name, device=ranks.device, dtype=dtype))
    return kind(model, model.window(task.parameters.block_length, DEFAULT_LENGTH))


def _row(
    name: str, judge: Judge, records: Sequence[Record], scored: Sequence[Scored]
) -> dict[str, Any]:
    """One model's line of the report."""
    _refuse_nan(name, scored)
    together = total(one.score for one in scored)
    if not together.targets:
        raise EmptyDataset(f"The samples give the model {name} nothing to predict.")
    return {
        "model": name,
        "task": judge.task.name,
        "tokenizer": _tokenizer_digest(judge.model.tokenizer),
        **judge.figures(records, scored),
        "targets": together.targets,
        "samples": [
            {"id": record.id, "targets": one.score.targets, **judge.sample(record, one)}
            for record, one in zip(records, scored, strict=True)
        ],
    }


def _tokenizer_digest(tokenizer: Any) -> str:
    """The same for tokenizers that cut text alike."""
    facts = json.dumps(tokenizer_facts(tokenizer), sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _refuse_nan(name: str, scored: Sequence[Scored]) -> None:
    for score in (one.score for one in scored if one.score.targets):
        if not score.loss < LARGEST_LOSS:
            raise NaNLoss(
                f"The model {name} has a loss of {score.loss} nats a target: its weights are "
                "damaged, or of another architecture than its config.json says."
            )


def _write(
    task: Task[EvaluateParameters],
    records: Sequence[Record],
    rows: Sequence[dict[str, Any]],
    judge: type[Judge],
) -> None:
    shown = [name for name in judge.headline if name in rows[0]]
    _print(rows, shown, len(records))
    write_plot(task.outputs / "evaluation.png", rows, shown)
    write_report(
        task,
        {f"{row['model']}.{name}": row[name] for row in rows for name in _figures(row)},
        seed=task.parameters.seed,
        sampleIds=[record.id for record in records],
        models=list(rows),
    )


def _figures(row: dict[str, Any]) -> list[str]:
    return [name for name, value in row.items() if isinstance(value, float)]


def _print(rows: Sequence[dict[str, Any]], shown: Sequence[str], samples: int) -> None:
    """A loss a token compares only where a token is the same piece of text."""
    print(f"{samples} samples, {rows[0]['task']}:")
    print("\n".join(table.lines(rows, shown)), flush=True)
    if len({row["tokenizer"] for row in rows}) > 1 and "bitsPerByte" in shown:
        print("The tokenizers differ: compare bitsPerByte, not loss and perplexity.", flush=True)
