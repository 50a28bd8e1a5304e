"""Training beyond plain text: a new label set, adapters, and failures that say what to change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from algorithms.shared.failures import OutOfMemory
from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.memory import explained_memory
from algorithms.shared.training.speed import trained_fraction
from algorithms.train.parameters import TrainParameters
from tests.algorithms.conftest import Run, report_of

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))
MOODS = {"glad": "This is a happy day.", "sad": "The rain never ends."}


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels by name, under columns of the file's own."""
    file = tmp_path_factory.mktemp("moods") / "moods.jsonl"
    rows = [{"sentence": f"{n}. {MOODS[mood]}", "mood": mood} for n in range(20) for mood in MOODS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_classifier_is_made_of_a_language_model(
    run: Run, tiny_model: Path, moods: Path, tmp_path: Path
) -> None:
    """With a new head for the labels that the data has."""
    parameters = {
        "task": "sequence-classification",
        "columns": {"text": "sentence", "label": "mood"},
        "epochs": 5,
        "blockLength": 64,
        "learningRate": 0.01,
    }
    ended = run("train", parameters, model=tiny_model, data=moods, outputs=tmp_path)
    assert ended.code == 0
    metrics = report_of(tmp_path)["metrics"]
    assert ended.progress[-1].total_steps == 23  # 5 times 36 samples (4 are held out), 8 a step
    assert metrics["heldOutTokens"] == 4
    assert metrics["heldOutLossAfter"] < 0.3 < metrics["heldOutLossBefore"]
    made = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert made.config.id2label == {0: "glad", 1: "sad"}


def test_what_comes_out_is_complete_and_nothing_else(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    """Adapters: the base stays as it was, the model is whole, the adapter lies beside it."""
    outputs = tmp_path / "out"
    parameters = {
        "steps": 12,
        "blockLength": 32,
        "learningRate": 0.05,
        "loraRank": 4,
        "loraTargets": ["q_proj", "v_proj"],
        "loraKeepAdapter": True,
        "checkpointSteps": 5,
        "gradientCheckpointing": True,
    }
    ended = run("train", parameters, model=tiny_model, data=corpus, outputs=outputs)
    assert ended.code == 0
    metrics = report_of(outputs)["metrics"]
    assert metrics["heldOutLossAfter"] < metrics["heldOutLossBefore"]
    before, after = (load_file(f / "model.safetensors") for f in (tiny_model, outputs / "model"))
    assert before.keys() == after.keys()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {n for n in after if n.endswith(("q_proj.weight", "v_proj.weight"))}
    files = {str(file.relative_to(outputs)) for file in outputs.rglob("*") if file.is_file()}
    assert files == {
        "report.json",
        "loss.csv",
        "loss.png",
        "samples.jsonl",
        "model/README.md",
        "model/config.json",
        "model/generation_config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
        "model/adapter/adapter_config.json",
        "model/adapter/adapter_model.safetensors",
    }
    assert not (tmp_path / "out.scratch" / "checkpoints").exists()


def test_a_tokenizer_too_large_for_the_model_is_refused(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    network = AutoModelForCausalLM.from_pretrained(folder)
    network.resize_token_embeddings(100)
    network.save_pretrained(folder)
    ended = run("train", {"steps": 1}, model=folder, data=corpus, outputs=tmp_path / "out")
    assert (ended.code, ended.failure.reason) == (17, "VocabularyMismatch")


def test_an_empty_data_set_is_refused(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jsonl").write_text('{"text": " "}\n')
    data, outputs = tmp_path / "text.jsonl", tmp_path / "out"
    ended = run("train", {"steps": 1}, model=tiny_model, data=data, outputs=outputs)
    assert (ended.code, ended.failure.reason) == (12, "EmptyDataset")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        MemoryError("no more"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
    ],
)
def test_out_of_memory_says_what_to_change(error: Exception) -> None:
    parameters = TrainParameters(batch_size=8, gradient_accumulation=2)
    with pytest.raises(OutOfMemory) as caught, explained_memory(parameters, ALONE):
        raise error
    assert "raise gradientAccumulation (now 2, at most 8)" in str(caught.value)
    assert "gradientCheckpointing" in str(caught.value)


def test_another_runtime_error_is_no_shortage_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained_memory(TrainParameters(), ALONE):
        raise RuntimeError("shapes don't match")


def test_the_trained_fraction_is_that_of_the_weights(tiny_model: Path) -> None:
    network = load(LoadRequest(tiny_model)).network
    assert trained_fraction(network) == 1
    for weight in network.parameters():
        weight.requires_grad_(False)
    network.lm_head.weight.requires_grad_(True)
    every = sum(weight.numel() for weight in network.parameters())
    assert trained_fraction(network) == network.lm_head.weight.numel() / every
