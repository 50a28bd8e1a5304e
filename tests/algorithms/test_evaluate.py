"""Evaluation: the same samples by the same seed, several models side by side, one's own prompts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.algorithms.conftest import Run, command_line, report_of, run_process, spoiled

pytestmark = pytest.mark.models


def evaluated(run: Run, outputs: Path, parameters: dict[str, Any], **options: Any) -> Any:
    ended = run("evaluate", parameters, outputs=outputs, **options)
    assert ended.code == 0, ended.output
    return report_of(outputs)


def test_the_seed_chooses_the_samples(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    options = {"model": tiny_model, "data": corpus}
    chosen = [
        evaluated(run, tmp_path, {"seed": seed}, **options)["sampleIds"] for seed in (1, 1, 2)
    ]
    assert len(set(chosen[0])) == 10
    assert chosen[0] == chosen[1] != chosen[2]
    assert chosen[0][0].startswith("text.jsonl:")


def test_models_stand_side_by_side(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    short = {"steps": 20, "batchSize": 4, "blockLength": 32, "learningRate": 0.01}
    run("train", short, model=tiny_model, data=corpus, outputs=trained)
    models = [f"alice={tiny_model}", f"bob={trained / 'model'}"]
    ended = run("evaluate", {}, model=models, data=corpus, outputs=tmp_path)
    report = report_of(tmp_path)
    assert [row["model"] for row in report["models"]] == ["alice", "bob"]
    assert report["metrics"]["bob.loss"] < report["metrics"]["alice.loss"] - 1
    assert (ended.progress[-1].step, ended.progress[-1].percent) == (20, 100.0)


def test_the_log_has_a_table_and_warns_where_a_token_is_not_the_same_text(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "Lowercase"}
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    warning = "The tokenizers differ: compare bitsPerByte"
    for second, differs in ((tiny_model, False), (other, True)):
        models = [f"alice={tiny_model}", f"bob={second}"]
        ended = run("evaluate", {}, model=models, data=corpus, outputs=tmp_path / "out")
        assert (warning in ended.output) is differs
        first, *rows = ended.output[ended.output.index("10 samples, causal-lm:") :].splitlines()[
            1:4
        ]
        assert first.split() == ["model", "loss", "perplexity", "bitsPerByte"]
        report = report_of(tmp_path / "out")
        assert [row.split()[:2] for row in rows] == [
            [row["model"], f"{row['loss']:.4f}"] for row in report["models"]
        ]
    assert (tmp_path / "out" / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_a_models_loss_is_its_samples_weighted_by_tokens(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    report = evaluated(run, tmp_path, {"samples": 4}, model=tiny_model, data=corpus)
    [row] = report["models"]
    targets = sum(sample["targets"] for sample in row["samples"])
    nats = sum(sample["loss"] * sample["targets"] for sample in row["samples"])
    assert [sample["id"] for sample in row["samples"]] == report["sampleIds"]
    assert row["loss"] == pytest.approx(nats / targets)
    assert report["metrics"]["model.loss"] == row["loss"]
    # one token a byte: nats a token are bits a byte but for the unit
    assert row["bitsPerByte"] == pytest.approx(row["loss"] / 0.693147, rel=1e-5)


def test_prompts_of_ones_own_need_no_text(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    prompts = {"prompts": ["In the beginning", "And God said"]}
    report = evaluated(run, tmp_path, prompts, model=tiny_model)
    assert report["sampleIds"] == ["prompt:1", "prompt:2"]
    assert report["models"][0]["targets"] == sum(map(len, prompts["prompts"]))


def test_fewer_samples_than_asked_for_are_all_taken(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    report = evaluated(run, tmp_path, {"samples": 1000}, model=tiny_model, data=corpus)
    assert len(report["sampleIds"]) == 60


def test_a_model_whose_weights_are_damaged_is_told(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    broken = spoiled(tiny_model, tmp_path / "broken")
    ended = run("evaluate", {}, model=f"bob={broken}", data=corpus, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (15, "NaNLoss")
    assert "The model bob has a loss of nan" in ended.failure.message
    assert not (tmp_path / "report.json").exists()


def test_two_ranks_report_what_one_does(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    parameters = {"samples": 5}
    alone = evaluated(run, tmp_path / "one", parameters, model=tiny_model, data=corpus)
    options = {"model": tiny_model, "data": corpus, "outputs": tmp_path / "two"}
    ended = run_process("evaluate", command_line(parameters, options), ranks=2)
    assert ended.code == 0
    together = report_of(tmp_path / "two")
    assert together["sampleIds"] == alone["sampleIds"]
    for mine, theirs in zip(
        together["models"][0]["samples"], alone["models"][0]["samples"], strict=True
    ):
        assert mine["id"] == theirs["id"]
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
