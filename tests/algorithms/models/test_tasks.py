"""The six tasks: what becomes of a record, and which loss is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.tasks.base import IGNORED, MalformedRecord, TaskName
from algorithms.shared.tasks.causal_lm import CausalLM
from algorithms.shared.tasks.inputs import ModelInputs
from algorithms.shared.tasks.labels import labels_of
from algorithms.shared.tasks.masked_lm import CHOSEN, MaskedLM
from algorithms.shared.tasks.question_answering import QuestionAnswering
from algorithms.shared.tasks.registry import TASK_NAMES, make_task
from algorithms.shared.tasks.seq2seq_lm import Seq2SeqLM
from algorithms.shared.tasks.token_classification import TokenClassification
from tests.algorithms.models.conftest import Saved
from tests.algorithms.models.tokens import byte_tokenizer
from tests.algorithms.models.trial import RECORDS

pytestmark = pytest.mark.models

TOKENIZER = byte_tokenizer()
TYPES: Mapping[TaskName, str] = {
    "causal-lm": "llama",
    "masked-lm": "bert",
    "seq2seq-lm": "bart",
    "sequence-classification": "roberta",
    "token-classification": "distilbert",
    "question-answering": "distilbert",
}


def inputs(**more: Any) -> ModelInputs:
    return ModelInputs(TOKENIZER, padding=TOKENIZER.pad_token_id, **more)


def test_each_token_of_a_long_text_is_predicted_once() -> None:
    task, text = CausalLM(inputs()), "abcdefghij"
    examples = list(task.encode({"text": text}, 4))
    batch = task.collate(examples)
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert batch["labels"][batch["labels"] != IGNORED].tolist() == ids
    assert batch["input_ids"][0].tolist() == [TOKENIZER.bos_token_id, *ids[:3]]
    assert task.targets(batch) == len(text)
    assert batch["attention_mask"].sum(1).tolist() == [4, 4, 2]


def test_rows_of_one_length_have_no_mask() -> None:
    task = CausalLM(inputs())
    assert "attention_mask" not in task.collate([task.block([1, 20, 21]), task.block([1, 22, 23])])


def test_a_document_begins_and_ends_in_the_stream() -> None:
    [stream] = CausalLM(inputs()).streams([{"text": "ab"}])
    assert (stream[0], stream[-1]) == (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id)
    assert len(stream) == 4


def test_hidden_tokens_follow_from_example_and_seed_alone() -> None:
    task = MaskedLM(inputs())
    [stream] = task.streams([{"text": "And the evening and the morning were the first day. " * 40}])
    example = task.block(stream)
    one, again = task.collate([example]), task.collate([example, task.block(stream[:9])])
    other = task.collate([{**example, "seed": 1}])
    assert torch.equal(one["input_ids"][0], again["input_ids"][0])
    assert not torch.equal(one["input_ids"], other["input_ids"])
    hidden = one["labels"] != IGNORED
    assert int(hidden.sum()) == round(CHOSEN * (len(stream) - 2))
    assert torch.equal(one["labels"][hidden], torch.tensor([list(stream)])[hidden])
    assert torch.equal(one["input_ids"][~hidden], torch.tensor([list(stream)])[~hidden])
    masked = one["input_ids"][hidden] == TOKENIZER.mask_token_id
    assert float(masked.float().mean()) == pytest.approx(0.8, abs=0.1)
    assert not set(one["labels"][hidden].tolist()) & set(TOKENIZER.all_special_ids)


def test_long_texts_are_framed_row_by_row() -> None:
    rows = list(MaskedLM(inputs()).encode({"text": "abcdefgh"}, 6))
    frame = (TOKENIZER.cls_token_id, TOKENIZER.sep_token_id)
    assert [(row["input_ids"][0], row["input_ids"][-1]) for row in rows] == [frame, frame]
    assert [len(row["input_ids"]) for row in rows] == [6, 6]


def test_the_decoder_reads_the_target_one_behind() -> None:
    task = Seq2SeqLM(inputs(decoder_start=9))
    examples = [e for r in RECORDS["seq2seq-lm"] for e in task.encode(r, 48)]
    batch = task.collate(examples)
    first = examples[0]["labels"]
    assert first[-1] == TOKENIZER.eos_token_id
    assert batch["decoder_input_ids"][0].tolist() == [9, *first[:-1]]
    assert batch["labels"][1].tolist().count(IGNORED) == len(first) - len(examples[1]["labels"])


def test_a_words_first_token_is_its_target_and_no_word_is_lost() -> None:
    task = TokenClassification(inputs(labels=("no", "yes")))
    words = ["In", "the", "beginning", "was"]
    rows = list(task.encode({"tokens": words, "labels": ["yes", "no", "no", "yes"]}, 8))
    assert len(rows) > 1
    told = [(i, t) for row in rows for i, t in zip(row["input_ids"], row["labels"], strict=True)]
    chosen = [(TOKENIZER.decode([i]).strip(), t) for i, t in told if t != IGNORED]
    assert [target for _, target in chosen] == [1, 0, 0, 1]
    assert [text for text, _ in chosen] == ["I", "t", "b", "w"]


def test_an_answer_is_found_where_it_stands_in_overlapping_rows() -> None:
    task = QuestionAnswering(inputs())
    context = "He is Bob. " * 5 + "She is Alice. " + "They are here. " * 3
    fields = {
        "question": "Who?",
        "context": context,
        "answers": {"text": ["Alice"], "answer_start": [context.index("Alice")]},
    }
    rows = list(task.encode(fields, 40))
    spans = [r["input_ids"][r["start"] : r["end"] + 1] for r in rows if r["end"]]
    assert spans
    assert {TOKENIZER.decode(span) for span in spans} == {"Alice"}
    assert len(rows) > len(spans)


def test_a_wrong_answer_is_refused() -> None:
    fields = {**RECORDS["question-answering"][0], "answers": {"text": ["Eve"], "answer_start": [3]}}
    with pytest.raises(MalformedRecord, match="doesn't have 'Eve' at character 3"):
        list(QuestionAnswering(inputs()).encode(fields, 40))


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        ("causal-lm", {"text": 7}, "text is 7: it must be a string"),
        ("seq2seq-lm", {"source": "a"}, "target is missing"),
        ("sequence-classification", {"text": "a", "label": "?"}, "none of the model's: no, yes"),
        ("sequence-classification", {"text": "a", "label": 0.5}, "a label is 0.5"),
        ("token-classification", {"tokens": ["a"], "labels": []}, "1 tokens, but 0 labels"),
        ("question-answering", {"question": "a", "context": "b"}, "answers must be"),
    ],
)
def test_a_malformed_record_says_which_column(
    task: TaskName, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedRecord, match=message):
        list(make_task(task, inputs(labels=("no", "yes"))).encode(fields, 40))


def test_a_label_set_is_sorted_numbers_by_value() -> None:
    named = [{"label": "b"}, {"label": "a"}, {"label": "b"}]
    assert labels_of("sequence-classification", named) == ("a", "b")
    assert labels_of("token-classification", [{"labels": [10, 2]}])[10] == "10"
    assert labels_of("causal-lm", []) == ()


@pytest.mark.parametrize("name", TASK_NAMES)
def test_padding_changes_no_loss(saved: Saved, name: TaskName) -> None:
    """Two rows of different length cost together what they cost alone."""
    model = load(LoadRequest(saved(TYPES[name], name), name))
    examples = [e for r in RECORDS[name] for e in model.task.encode(r, 48)]

    def nats(rows: list[Any]) -> float:
        batch = model.task.collate(rows)
        with torch.inference_mode():
            return float(model.task.loss_sum(model.task.outputs(model.network, batch), batch))

    alone = math.fsum(nats([example]) for example in examples)
    assert nats(examples) == pytest.approx(alone, abs=1e-3)


def test_the_loss_is_that_of_transformers_itself(saved: Saved) -> None:
    model = load(LoadRequest(saved("gpt2", "causal-lm")))
    ids = TOKENIZER("In the beginning", add_special_tokens=False)["input_ids"]
    batch = model.task.collate([{"input_ids": ids}])
    with torch.inference_mode():
        ours = float(model.task.loss_sum(model.task.outputs(model.network, batch), batch))
        theirs = model.network(torch.tensor([ids]), labels=torch.tensor([ids])).loss
    assert ours / model.task.targets(batch) == pytest.approx(float(theirs), abs=1e-5)
