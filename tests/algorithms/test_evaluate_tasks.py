"""Evaluation of each task, on tiny models whose answers are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from algorithms.shared import scoring
from examples.story_data.tiny import byte_tokenizer
from tests.algorithms.conftest import Run, report_of

pytestmark = pytest.mark.models
Rows = Sequence[Mapping[str, Any]]
NAMES = ("O", "B-PER", "I-PER")


def tokenizer() -> Any:
    made = byte_tokenizer()
    made.add_special_tokens({"mask_token": "<mask>", "pad_token": "<pad>"})
    return made


def bert(kind: Any, folder: Path, change: Callable[[Any], None] = lambda _: None) -> Path:
    """Of random weights, but for what `change` does to them."""
    names = ("start", "end") if kind is BertForQuestionAnswering else NAMES
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer()),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        pad_token_id=tokenizer().pad_token_id,
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    network = kind(config)
    change(network)
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def always(label: str) -> Callable[[Any], None]:
    """A classifier that says nothing else, with a certainty of 1 to all but zero."""

    def change(network: Any) -> None:
        with torch.no_grad():
            network.classifier.weight.zero_()
            network.classifier.bias.copy_(torch.tensor([9.0 * (n == label) for n in NAMES]))

    return change


def data(folder: Path, rows: Rows) -> Path:
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def evaluated(run: Run, model: Path, file: Path, **parameters: Any) -> Any:
    outputs = file.parent / "out"
    ended = run("evaluate", parameters, model=model, data=file, outputs=outputs)
    assert ended.code == 0, ended.output
    assert (outputs / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    return report_of(outputs)["models"][0]


def test_a_classifier_has_accuracy_and_f1(run: Run, tmp_path: Path) -> None:
    """Three of four are right. F1: B-PER 6/7, O 0, and I-PER is nowhere."""
    model = bert(BertForSequenceClassification, tmp_path / "model", always("B-PER"))
    labels = ["B-PER", "B-PER", "O", "B-PER"]
    row = evaluated(run, model, data(tmp_path, [{"text": f"text {n}", "label": n} for n in labels]))
    assert row["accuracy"] == 0.75
    assert row["macroF1"] == pytest.approx((6 / 7 + 0) / 2)
    right = -math.log(math.exp(9) / (math.exp(9) + 2))
    assert row["loss"] == pytest.approx((3 * right + (9 + right)) / 4, rel=1e-4)
    assert row["targets"] == 4
    assert [(s["expected"], s["predicted"]) for s in row["samples"]][2] == ("O", "B-PER")


def test_words_have_accuracy_and_entities(run: Run, tmp_path: Path) -> None:
    """Every word an entity of its own: of 5 made 1 is right, of 2 there 1 is found."""
    model = bert(BertForTokenClassification, tmp_path / "model", always("B-PER"))
    rows = [
        {"words": ["Alice", "sells"], "tags": ["B-PER", "O"]},
        {"words": ["to", "Bob", "Builder"], "tags": ["O", "B-PER", "I-PER"]},
    ]
    columns = {"tokens": "words", "labels": "tags"}
    row = evaluated(run, model, data(tmp_path, rows), columns=columns)
    assert row["accuracy"] == pytest.approx(2 / 5)
    assert row["entityPrecision"] == pytest.approx(1 / 5)
    assert row["entityRecall"] == pytest.approx(1 / 2)
    assert row["entityF1"] == pytest.approx(2 / 7)
    assert row["samples"][1]["expected"] == ["O", "B-PER", "I-PER"]
    assert row["samples"][1]["predicted"] == ["B-PER"] * 3


def test_words_of_a_long_text_are_all_judged(run: Run, tmp_path: Path) -> None:
    model = bert(BertForTokenClassification, tmp_path / "model", always("O"))
    long = {"tokens": [f"w{n}" for n in range(50)], "labels": ["O"] * 50}
    row = evaluated(run, model, data(tmp_path, [long]))
    assert (row["targets"], row["accuracy"]) == (50, 1)


def find_dots(network: Any) -> None:
    """A reader that takes the first dot for the start and the end of the answer."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        [dot] = tokenizer()(".")["input_ids"]
        network.bert.embeddings.word_embeddings.weight[dot, 0] = 9
        for name, weight in network.named_parameters():
            if name.endswith("LayerNorm.weight"):
                weight.fill_(1)
        network.qa_outputs.weight[:, 0] = 1


def asked(context: str, *answers: str) -> Mapping[str, Any]:
    starts = [context.index(answer) for answer in answers]
    return {
        "question": "?",
        "context": context,
        "answers": {"text": list(answers), "answer_start": starts},
    }


def test_answers_are_judged_as_squad_does(run: Run, tmp_path: Path) -> None:
    """Of a context of several rows, the best span of all of them is the answer."""
    model = bert(BertForQuestionAnswering, tmp_path / "model", find_dots)
    rows = [asked("ab.cd", "b.c"), asked("x" * 90 + "." + "y" * 90, "y", ".")]
    row = evaluated(run, model, data(tmp_path, rows), blockLength=40)
    assert [sample["predicted"] for sample in row["samples"]] == [".", "."]
    # without punctuation "." is "": no answer's words, but that of the second's second answer
    assert (row["exactMatch"], row["f1"]) == (0, 0)
    assert row["samples"][1]["expected"] == ["y"]


def test_an_answers_loss_is_the_same_in_any_batch(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a short row among long ones, the places filled up are no places for an answer."""
    model = bert(BertForQuestionAnswering, tmp_path / "model")
    file = data(tmp_path, [asked("ab.cd", "b.c"), asked("y." + "x" * 40, ".")])
    together = evaluated(run, model, file)
    monkeypatch.setattr(scoring, "TOKENS_AT_ONCE", 1)
    alone = evaluated(run, model, file)
    for one, other in zip(together["samples"], alone["samples"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


def test_no_answer_is_one_where_some_questions_have_none(run: Run, tmp_path: Path) -> None:
    model = bert(BertForQuestionAnswering, tmp_path / "model", find_dots)
    rows = [{**asked("abc"), "question": "."}, asked("ab.cd", "b.c")]
    row = evaluated(run, model, data(tmp_path, rows))
    assert [sample["predicted"] for sample in row["samples"]] == ["", "."]
    assert row["exactMatch"] == 0.5


def test_a_masked_model_is_scored_on_what_is_hidden(run: Run, tmp_path: Path) -> None:
    model = bert(BertForMaskedLM, tmp_path / "model")
    row = evaluated(run, model, data(tmp_path, [{"text": "x" * 40}, {"text": "y" * 7}]))
    assert row["task"] == "masked-lm"
    assert row["targets"] == 6 + 1  # 15 in 100, one at least
    assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
    assert "bitsPerByte" not in row


@pytest.fixture
def translator(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    make_config: Any = T5Config
    config = make_config(
        vocab_size=len(tokenizer()),
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        eos_token_id=1,
        pad_token_id=tokenizer().pad_token_id,
        decoder_start_token_id=0,
    )
    make: Any = T5ForConditionalGeneration
    network = make(config)
    settings: Any = transformers.GenerationConfig
    network.generation_config = settings(
        do_sample=True, temperature=5.0, num_beams=3, decoder_start_token_id=0, eos_token_id=1
    )
    network.save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_translators_own_words_score_full_marks(
    run: Run, tmp_path: Path, translator: Path
) -> None:
    """Greedily, whatever the model's generation config says; the same in any batch."""
    sources = ["one", "the second of them", "3"]
    row = evaluated(
        run, translator, data(tmp_path, [{"source": s, "target": "zebra"} for s in sources]),
        blockLength=24,
    )  # fmt: skip
    assert row["chrf"] < 20
    made = [sample["predicted"] for sample in row["samples"]]
    assert all(made)
    alike = [{"source": s, "target": text} for s, text in zip(sources, made, strict=True)]
    row = evaluated(run, translator, data(tmp_path, alike), blockLength=24)
    assert row["chrf"] == pytest.approx(100)
    assert [sample["predicted"] for sample in row["samples"]] == made


def test_models_of_different_tasks_are_not_compared(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    models = [tiny_model, bert(BertForMaskedLM, tmp_path / "bert")]
    file = data(tmp_path, [{"text": "a text"}])
    ended = run("evaluate", {}, model=models, data=file, outputs=tmp_path / "out")
    assert (ended.code, ended.failure.reason) == (10, "BadParameter")
    assert "model: causal-lm, model-2: masked-lm" in ended.failure.message


def test_prompts_are_for_language_models(run: Run, tmp_path: Path) -> None:
    model = bert(BertForSequenceClassification, tmp_path / "model")
    ended = run("evaluate", {"prompts": ["a"]}, model=model, outputs=tmp_path / "out")
    assert ended.failure.reason == "BadParameter"
    assert "sequence-classification needs samples with text, label" in ended.failure.message


def test_a_label_that_the_model_does_not_have_is_named(run: Run, tmp_path: Path) -> None:
    model = bert(BertForSequenceClassification, tmp_path / "model")
    file = data(tmp_path, [{"text": "a", "label": "O"}, {"text": "b", "label": "spam"}])
    ended = run("evaluate", {}, model=model, data=file, outputs=tmp_path / "out")
    assert (ended.code, ended.failure.reason) == (13, "MalformedDataset")
    assert "data.jsonl, line 2: the label 'spam'" in ended.failure.message
