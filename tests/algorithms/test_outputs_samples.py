"""Samples of each task: what the record says, and what a model of known habits makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.outputs.record import Prediction
from algorithms.shared.outputs.samples import NEW_TOKENS, PROMPT_TOKENS, SAMPLES, predictions
from algorithms.shared.tasks.base import TaskName
from tests.algorithms.conftest import Run
from tests.algorithms.test_evaluate_tasks import always, bert, tokenizer

pytestmark = pytest.mark.models


def loaded(folder: Path, task: TaskName) -> LoadedModel:
    return load(LoadRequest(folder=folder, task=task, device=torch.device("cpu")))


def record(number: int = 1, **fields: Any) -> Record:
    return Record(f"text.jsonl:{number}", fields)


def only(model: LoadedModel, fields: Mapping[str, Any]) -> Prediction:
    [found] = predictions(model, [record(**fields)])
    return found


def test_a_text_is_continued_from_its_beginning(tiny_model: Path) -> None:
    text = "And the evening and the morning were the first day. And it was good, very good."
    found = only(loaded(tiny_model, "causal-lm"), {"text": text})
    begun = found.prompt + found.reference
    assert text.startswith(begun)
    assert len(begun) == PROMPT_TOKENS + NEW_TOKENS - 1  # a token a byte, one of them the beginning
    assert len(found.text.encode(errors="replace")) <= 3 * NEW_TOKENS
    assert found.text


def test_a_few_records_are_enough(tiny_model: Path) -> None:
    records = [record(number, text=f"Text number {number}") for number in range(10)]
    found = predictions(loaded(tiny_model, "causal-lm"), records)
    assert [one.id for one in found] == [f"text.jsonl:{number}" for number in range(SAMPLES)]


def test_asking_changes_nothing_of_the_training(tiny_model: Path) -> None:
    model = loaded(tiny_model, "causal-lm")
    model.network.train()
    own, before = model.network.generation_config, torch.get_rng_state()
    first, again = (predictions(model, [record(text="In the beginning")]) for _ in range(2))
    assert first == again
    assert model.network.training
    assert model.network.generation_config is own
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.grad is None for weight in model.network.parameters())


def test_a_target_is_written_from_its_source(tmp_path: Path) -> None:
    make_config: Any = T5Config
    config = make_config(
        vocab_size=len(tokenizer()),
        d_model=16,
        d_ff=16,
        d_kv=8,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=tokenizer().pad_token_id,
        eos_token_id=1,
    )
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    fields = {"source": "one two", "target": "eins zwei"}
    found = only(loaded(tmp_path, "seq2seq-lm"), fields)
    assert (found.prompt, found.reference) == ("one two", "eins zwei")


def test_a_text_is_given_the_label_that_the_model_favours(tmp_path: Path) -> None:
    folder = bert(BertForSequenceClassification, tmp_path, always("I-PER"))
    found = only(
        loaded(folder, "sequence-classification"), {"text": "a good book", "label": "B-PER"}
    )
    assert (found.prompt, found.reference, found.text) == ("a good book", "B-PER", "I-PER")


def test_each_word_is_given_its_label(tmp_path: Path) -> None:
    folder = bert(BertForTokenClassification, tmp_path, always("O"))
    fields = {"tokens": ["Alice", "met", "Bob"], "labels": ["B-PER", "O", "B-PER"]}
    found = only(loaded(folder, "token-classification"), fields)
    assert (found.reference, found.text) == ("B-PER O B-PER", "O O O")


def test_hidden_tokens_are_guessed(tmp_path: Path) -> None:
    model = loaded(bert(BertForMaskedLM, tmp_path), "masked-lm")
    text = "And the evening and the morning were the first day."
    found = only(model, {"text": text})
    assert found.reference
    assert set(found.reference) <= set(text)


def test_an_answer_is_taken_from_its_context(tmp_path: Path) -> None:
    model = loaded(bert(BertForQuestionAnswering, tmp_path), "question-answering")
    answers = {"text": ["Bob"], "answer_start": [10]}
    fields = {"question": "Who?", "context": "Alice met Bob.", "answers": answers}
    found = only(model, fields)
    assert found.reference == "Bob"
    assert "Alice met Bob." in found.prompt


def test_a_model_that_cant_be_asked_gives_no_sample(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = loaded(tiny_model, "causal-lm")
    model.network.generate = _refuse
    assert predictions(model, [record(text="In the beginning")]) == []
    assert "No samples: this model can't be asked: ValueError: no cache" in capsys.readouterr().out


def _refuse(*_: object, **__: object) -> None:
    raise ValueError("no cache\nof that kind")


def test_a_training_leaves_this_and_nothing_else(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    few = {"steps": 2, "batchSize": 2, "blockLength": 32}
    assert run("train", few, model=tiny_model, data=corpus, outputs=tmp_path / "out").code == 0
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {"model", "report.json", "loss.csv", "loss.png", "samples.jsonl"}
    suffixes = {file.suffix for file in (tmp_path / "out" / "model").rglob("*") if file.is_file()}
    assert suffixes <= {".json", ".md", ".safetensors", ".jinja"}  # no pickles
    samples = (tmp_path / "out" / "samples.jsonl").read_text().splitlines()
    assert len(samples) == SAMPLES
