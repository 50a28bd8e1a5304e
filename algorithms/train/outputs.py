"""What a training run leaves: model/ (custody), report.json and loss.csv (results)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from algorithms.shared.inputs import Task
from algorithms.shared.language_model import LanguageModel
from algorithms.shared.report import write_report
from algorithms.shared.scoring import Score
from algorithms.train.loop import StepRecord
from algorithms.train.parameters import TrainParameters

CARD = """---
library_name: transformers
pipeline_tag: text-generation
---
# A model trained further

{steps} steps of next-token prediction on {samples} samples ({tokens} tokens seen), learning rate
{learning_rate:g}, seed {seed}.

{held_out}

Made by `train` {version}. Load it with `AutoModelForCausalLM.from_pretrained`.
"""


@dataclass(frozen=True)
class Result:
    """One finished training run; scores are None where nothing was held out."""

    records: Sequence[StepRecord]
    before: Score | None
    after: Score | None
    seconds: float
    samples: int

    @property
    def tokens(self) -> int:
        """Predicted tokens over all steps."""
        return sum(record.tokens for record in self.records)


def write_outputs(task: Task[TrainParameters], model: LanguageModel, result: Result) -> None:
    """The weights in the dtype they came in."""
    folder = task.outputs / "model"
    model.network.to(model.stored_dtype).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(_card(task, result))
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors makes files that nobody else can read
    _write_losses(task.outputs / "loss.csv", result.records)
    write_report(task, _metrics(result))


def _card(task: Task[TrainParameters], result: Result) -> str:
    held_out = "Nothing was held out."
    if result.before and result.after:
        held_out = (
            f"Loss on {result.after.tokens} held-out tokens: {result.before.loss:.4f} before, "
            f"{result.after.loss:.4f} after (nats a token)."
        )
    return CARD.format(
        steps=task.parameters.steps,
        samples=result.samples,
        tokens=result.tokens,
        learning_rate=task.parameters.learning_rate,
        seed=task.parameters.seed,
        held_out=held_out,
        version=task.algorithm["version"],
    )


def _write_losses(path: Path, records: Sequence[StepRecord]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["step", "loss", "learningRate", "tokens"])
        rows.writerows([r.step, r.loss, r.learning_rate, r.tokens] for r in records)


def _metrics(result: Result) -> dict[str, float]:
    """`firstLoss` and `lastLoss` are means over the first and the last tenth of the steps."""
    tenth = max(1, len(result.records) // 10)
    metrics = {
        "firstLoss": _mean_loss(result.records[:tenth]),
        "lastLoss": _mean_loss(result.records[-tenth:]),
        "tokens": float(result.tokens),
        "seconds": round(result.seconds, 3),
    }
    if result.before and result.after:
        metrics["heldOutLossBefore"] = result.before.loss
        metrics["heldOutLossAfter"] = result.after.loss
        metrics["heldOutTokens"] = float(result.after.tokens)
    return metrics


def _mean_loss(records: Sequence[StepRecord]) -> float:
    """Weighted by tokens."""
    return sum(r.loss * r.tokens for r in records) / sum(r.tokens for r in records)
