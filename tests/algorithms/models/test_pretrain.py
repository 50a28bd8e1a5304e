"""Pretraining: a model from its configuration alone, the same one each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from algorithms.pretrain.architecture import chosen_task
from algorithms.pretrain.vocabulary import trained_tokenizer
from tests.algorithms.conftest import Run, report_of
from tests.algorithms.models.conftest import Saved

pytestmark = pytest.mark.models

SMALL: dict[str, Any] = {
    "layers": 2,
    "hiddenSize": 32,
    "heads": 4,
    "context": 64,
    "vocabularySize": 400,
    "steps": 6,
    "batchSize": 4,
    "learningRate": 0.005,
    "heldOutSamples": 2,
}


def config_of(outputs: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((outputs / "model" / "config.json").read_text())
    return config


@pytest.mark.parametrize("model_type", ["gpt2", "gptj", "gpt_neox", "reformer", "bert"])
def test_a_new_model_learns(run: Run, corpus: Path, tmp_path: Path, model_type: str) -> None:
    ended = run("pretrain", {**SMALL, "modelType": model_type}, data=corpus, outputs=tmp_path)
    assert ended.code == 0, ended.output
    metrics = report_of(tmp_path)["metrics"]
    assert metrics["heldOutLossAfter"] < metrics["heldOutLossBefore"] - 0.3
    config = config_of(tmp_path)
    assert config["model_type"] == model_type
    assert config["vocab_size"] == len(AutoTokenizer.from_pretrained(tmp_path / "model"))


def test_the_same_run_gives_the_same_weights(run: Run, corpus: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        run("pretrain", {**SMALL, "seed": seed}, data=corpus, outputs=tmp_path / name)

    def digest(name: str, file: str) -> str:
        return hashlib.sha256((tmp_path / name / "model" / file).read_bytes()).hexdigest()

    weights = [digest(name, "model.safetensors") for name in ("one", "two", "other")]
    assert weights[0] == weights[1] != weights[2]
    assert digest("one", "tokenizer.json") == digest("other", "tokenizer.json")


def test_a_tokenizer_may_be_given(run: Run, corpus: Path, tmp_path: Path, saved: Saved) -> None:
    given = saved("bert", "masked-lm")
    ended = run(
        "pretrain", {**SMALL, "modelType": "llama"}, data=corpus, tokenizer=given, outputs=tmp_path
    )
    assert ended.code == 0, ended.output
    assert config_of(tmp_path)["vocab_size"] == 262
    own = AutoTokenizer.from_pretrained(tmp_path / "model").get_vocab()
    assert own == AutoTokenizer.from_pretrained(given).get_vocab()


def test_any_field_of_the_config_may_be_given(run: Run, corpus: Path, tmp_path: Path) -> None:
    fields = {"num_local_experts": 3, "num_key_value_heads": 1, "intermediate_size": 24}
    parameters = {**SMALL, "modelType": "mixtral", "config": fields, "steps": 1}
    ended = run("pretrain", parameters, data=corpus, outputs=tmp_path)
    assert ended.code == 0, ended.output
    config = config_of(tmp_path)
    assert {name: config[name] for name in fields} == fields
    assert config["num_hidden_layers"] == 2


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"modelType": "lama"}, "BadParameter", "no type lama. Did you mean llama?"),
        ({"hiddenSize": 33}, "BadParameter", "33 doesn't divide by 4 heads"),
        ({"modelType": "vit"}, "UnsupportedModel", "a head for none of the tasks"),
        ({"task": "masked-lm"}, "UnsupportedModel", "gpt2 can't do masked-lm"),
        (
            {"config": {"n_layer": "many"}},
            "BadParameter",
            "takes no gpt2 of these sizes: Field 'n_layer' expected int",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Run, corpus: Path, tmp_path: Path, changes: dict[str, Any], reason: str, words: str
) -> None:
    ended = run("pretrain", {**SMALL, **changes}, data=corpus, outputs=tmp_path)
    assert (ended.failure.reason, ended.failure.user_error) == (reason, True)
    assert words in ended.failure.message


@pytest.mark.parametrize(
    ("model_type", "task"),
    [
        ("gpt2", "causal-lm"),
        ("llama", "causal-lm"),
        ("reformer", "causal-lm"),
        ("bert", "masked-lm"),
        ("roberta", "masked-lm"),
        ("t5", "seq2seq-lm"),
        ("bart", "seq2seq-lm"),
    ],
)
def test_auto_is_what_the_type_is_known_for(model_type: str, task: str) -> None:
    assert chosen_task("auto", model_type) == task


def test_a_trained_tokenizer_writes_any_text_down() -> None:
    tokenizer = trained_tokenizer(iter(["the the the then they"] * 9), 300, "causal-lm")
    text = "the naïve 猫 \x00 ends."
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("the then")["input_ids"]) < len("the then")
    assert tokenizer.eos_token == "<|endoftext|>"


def test_a_tokenizer_for_other_tasks_frames_its_texts() -> None:
    tokenizer = trained_tokenizer(iter(["a b"]), 300, "masked-lm")
    assert tokenizer.decode(tokenizer("hi")["input_ids"]) == "<s>hi</s>"
    assert tokenizer.mask_token_id is not None
