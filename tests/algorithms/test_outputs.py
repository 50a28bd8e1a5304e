"""What a run leaves to judge it by: card, losses, plot, samples."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from algorithms.shared.inputs import Task
from algorithms.shared.outputs.losses import smoothed
from algorithms.shared.outputs.origin import origin_of
from algorithms.shared.outputs.record import HeldOutPoint, LossPoint, Prediction, TrainingRun
from algorithms.shared.outputs.write import metrics_of, write_results
from algorithms.train.parameters import TrainParameters
from tests.algorithms.conftest import ALGORITHMS, report_of

DID = "did:op:" + 64 * "a"
LOSSES = [LossPoint(step, 4 / step, 1e-3, 100) for step in range(1, 21)]
RUN = TrainingRun(
    task_name="causal-lm",
    losses=LOSSES,
    seconds=2.0,
    samples=50,
    before={"loss": 4.0},
    after={"loss": 0.25},
    held_out=[HeldOutPoint(0, 4.0), HeldOutPoint(10, 0.5), HeldOutPoint(20, 0.25)],
    held_out_samples=5,
    predictions_before=[Prediction("a:1", "And the", "evening", "aaa")],
    predictions_after=[Prediction("a:1", "And the", "evening", "evening")],
    data_fingerprint="f" * 64,
)
PARENTS_CARD = "---\nlicense: apache-2.0\nbase_model: openai-community/gpt2\n---\n# Alice's\n"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task[TrainParameters]:
    """A run whose model has a card, and whose outputs hold a saved model."""
    monkeypatch.setenv("DIDS", json.dumps([DID]))
    parent, outputs = tmp_path / "parent", tmp_path / "outputs"
    for folder in (parent, outputs / "model"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    (parent / "README.md").write_text(PARENTS_CARD)
    (outputs / "model" / "model.safetensors").touch(mode=0o600)
    return Task(
        algorithm=json.loads((ALGORITHMS / "train" / "algorithm.json").read_text()),
        inputs={"model": parent, "text": tmp_path},
        outputs=outputs,
        scratch=tmp_path,
        parameters=TrainParameters(steps=20),
    )


def test_nothing_else_is_left(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    assert {file.name for file in task.outputs.iterdir()} == {
        "model",
        "report.json",
        "loss.csv",
        "loss.png",
        "samples.jsonl",
    }
    assert (task.outputs / "model" / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_the_cards_front_matter_is_the_hubs(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    data = ModelCard.load(task.outputs / "model" / "README.md").data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert (data.license, data.base_model) == ("apache-2.0", "openai-community/gpt2")
    assert (data.datasets, data.metrics) == (["text"], ["loss"])
    assert data.posthuman == {"parents": [DID], "task": "causal-lm"}
    assert data.eval_results is not None
    [result] = data.eval_results
    assert (result.metric_type, result.metric_value) == ("loss", 0.25)


def test_the_card_says_where_the_model_comes_from_and_how_good_it_is(
    task: Task[TrainParameters],
) -> None:
    write_results(task, RUN)
    card = (task.outputs / "model" / "README.md").read_text()
    for words in (
        "20 steps of causal-lm on 50 samples (2000 tokens seen)",
        f"- `{DID}`",
        "| held-out loss | 4.0000 | 0.2500 |",
        "| learningRate | 5e-05 |",
        "| transformers |",
        "Inputs: `text`.",
        "f" * 64,
    ):
        assert words in card


@pytest.mark.parametrize(
    "card",
    [
        "no front matter",
        "---\nlicense: [a: b\n---\n",
        "---\nlicense: {a: 1}\nbase_model: [3]\n---\n",
        "---\nlicense: 'x\\ny: evil'\nbase_model: ../../etc\n---\n",
        "---\n- a list\n---\n",
    ],
)
def test_a_parents_card_that_says_nothing_of_use(
    card: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIDS", raising=False)
    (tmp_path / "README.md").write_text(card)
    origin = origin_of(tmp_path)
    assert (origin.dids, origin.license, origin.base_model) == ((), "unknown", "")


def test_a_model_from_nothing_has_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIDS", raising=False)
    assert origin_of(None).license == "unknown"


def test_the_report_has_the_figures_before_and_after(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    report = report_of(task.outputs)
    assert report["metrics"]["heldOutLossBefore"] == 4.0
    assert report["metrics"]["heldOutLossAfter"] == 0.25
    assert report["metrics"]["firstLoss"] == pytest.approx(3.0)  # of 4/1 and 4/2
    assert report["metrics"]["lastLoss"] == pytest.approx((4 / 19 + 4 / 20) / 2)
    assert [point["step"] for point in report["heldOut"]] == [0, 10, 20]
    assert report["modelTask"] == "causal-lm"


def test_a_first_loss_weighs_its_tokens() -> None:
    losses = [LossPoint(1, 3.0, 0.1, 300), LossPoint(2, 1.0, 0.1, 100)] + 18 * [LOSSES[-1]]
    run = TrainingRun(task_name="causal-lm", losses=losses, seconds=1, samples=1)
    assert metrics_of(run)["firstLoss"] == pytest.approx(2.5)


def test_loss_csv_has_a_row_a_step(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    with (task.outputs / "loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 21))
    assert [float(row["loss"]) for row in rows] == [point.loss for point in LOSSES]
    assert [row["heldOutLoss"] for row in rows if row["heldOutLoss"]] == ["0.5", "0.25"]


def test_the_plot_is_the_same_file_each_time(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    first = (task.outputs / "loss.png").read_bytes()
    write_results(task, RUN)
    assert (task.outputs / "loss.png").read_bytes() == first
    assert first.startswith(b"\x89PNG")
    assert b"Date" not in first
    assert b"Software" not in first


def test_a_run_without_anything_held_out(task: Task[TrainParameters]) -> None:
    run = TrainingRun(task_name="causal-lm", losses=LOSSES[:1], seconds=1, samples=1)
    write_results(task, run)
    assert (task.outputs / "samples.jsonl").read_text() == ""
    assert "Nothing was held out." in (task.outputs / "model" / "README.md").read_text()


def test_smoothing_starts_at_the_first_loss() -> None:
    assert smoothed([]) == []
    assert smoothed(LOSSES[:2]) == pytest.approx([4.0, 0.9 * 4.0 + 0.1 * 2.0])


def test_a_sample_is_shown_before_and_after(task: Task[TrainParameters]) -> None:
    write_results(task, RUN)
    [line] = (task.outputs / "samples.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "id": "a:1",
        "prompt": "And the",
        "reference": "evening",
        "before": "aaa",
        "after": "evening",
    }
