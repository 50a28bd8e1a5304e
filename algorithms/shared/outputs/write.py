"""Write everything a training run leaves but the model's own files: card, losses, samples, report.

Below the outputs folder there is then model/, report.json, loss.csv, loss.png, samples.jsonl, and
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from algorithms.shared.inputs import Task
from algorithms.shared.outputs.card import CardFacts, model_card
from algorithms.shared.outputs.losses import mean_loss, tenth, write_losses
from algorithms.shared.outputs.origin import origin_of
from algorithms.shared.outputs.plot import write_plot
from algorithms.shared.outputs.record import Prediction, TrainingRun
from algorithms.shared.parameters import P
from algorithms.shared.report import versions, write_report


def write_results(task: Task[P], run: TrainingRun) -> None:
    """On the first rank, once model/ holds weights, tokenizer and config."""
    write_card(task, run)
    write_losses(task.outputs / "loss.csv", run.losses, run.held_out)
    write_plot(task.outputs / "loss.png", run.losses, run.held_out)
    write_samples(task.outputs / "samples.jsonl", run.predictions_before, run.predictions_after)
    held_out = [{"step": point.step, "loss": point.loss} for point in run.held_out]
    metrics = metrics_of(run)
    write_report(task, metrics, modelTask=run.task_name, heldOut=held_out)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    print(f"The model, report.json, loss.png and samples.jsonl are in {task.outputs}.", flush=True)


def write_card(task: Task[P], run: TrainingRun) -> None:
    """model/README.md, in the place of the input model's own; and readable files, for safetensors
    makes some that nobody else can read."""
    folder = task.outputs / "model"
    facts = CardFacts(
        algorithm=str(task.algorithm["name"]),
        version=str(task.algorithm["version"]),
        run=run,
        origin=origin_of(task.inputs.get("model")),
        parameters=msgspec.to_builtins(task.parameters),
        versions=versions(),
        datasets=_datasets(task),
    )
    (folder / "README.md").write_text(model_card(facts), encoding="utf-8")
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


def metrics_of(run: TrainingRun) -> dict[str, float]:
    """`firstLoss` and `lastLoss` are means over the first and the last tenth of the steps; held-out
    figures are `heldOut<Name>Before` and `heldOut<Name>After`."""
    count = tenth(run.losses)
    return {
        "firstLoss": mean_loss(run.losses[:count]),
        "lastLoss": mean_loss(run.losses[-count:]),
        "tokens": float(run.tokens),
        "seconds": round(run.seconds, 3),
        **{f"heldOut{_capital(name)}Before": value for name, value in run.before.items()},
        **{f"heldOut{_capital(name)}After": value for name, value in run.after.items()},
        **run.figures,
    }


def write_samples(path: Path, before: Sequence[Prediction], after: Sequence[Prediction]) -> None:
    """One object a line: id, prompt, reference, before, after."""
    earlier = {found.id: found.text for found in before}
    rows = [
        {
            "id": found.id,
            "prompt": found.prompt,
            "reference": found.reference,
            "before": earlier.get(found.id, ""),
            "after": found.text,
        }
        for found in after
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")


def _datasets(task: Task[P]) -> tuple[str, ...]:
    """The inputs that hold data, by their names in the job."""
    declared = task.algorithm["inputs"]
    kinds = declared if isinstance(declared, Mapping) else {}
    return tuple(n for n in task.inputs if kinds.get(n, {}).get("kind") == "dataset")


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
