"""Sums over targets, against a computation by hand; the batches change nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest
import torch

from algorithms.shared import scoring
from algorithms.shared.data.base import Record
from algorithms.shared.failures import MalformedDataset
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.ranks import Ranks
from algorithms.shared.scoring import Score, Scored, score_records, total

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))
TEXTS = ("Seas", "And it was good, and it was very good.", "a", "grass and herb")


@pytest.fixture
def model(tiny_model: Path) -> LoadedModel:
    return load(LoadRequest(tiny_model, dtype=torch.float32))


def records(texts: Sequence[str]) -> list[Record]:
    return [Record(f"a.txt:{number}", {"text": text}) for number, text in enumerate(texts, 1)]


def scored(model: LoadedModel, texts: Sequence[str], length: int) -> list[Scored]:
    return score_records(
        model, records(texts), ALONE, lambda fields: model.task.encode(fields, length)
    )


def by_hand(model: LoadedModel, tokens: list[int]) -> float:
    """Nats of all tokens but the first, each from all before it, in float64."""
    with torch.no_grad():
        logits = model.network(torch.tensor([tokens])).logits[0].double().numpy()
    chances = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    return -sum(math.log(chances[place, token]) for place, token in enumerate(tokens[1:]))


def tokens_of(model: LoadedModel, text: str) -> list[int]:
    return [0, *model.tokenizer(text)["input_ids"]]


def test_a_text_is_scored_from_its_first_token_on(model: LoadedModel) -> None:
    [one] = scored(model, ["Seas"], 100)
    assert one.score.targets == 4
    assert one.score.nats == pytest.approx(by_hand(model, tokens_of(model, "Seas")), rel=1e-5)


def test_a_long_text_is_scored_in_windows(model: LoadedModel) -> None:
    [one] = scored(model, ["Seas"], 3)
    tokens = tokens_of(model, "Seas")
    expected = by_hand(model, tokens[:4]) + by_hand(model, tokens[3:])
    assert one.score.nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tokens", [1, 20, 10_000])
def test_each_record_keeps_its_own_score_whatever_the_batches(
    model: LoadedModel, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOKENS_AT_ONCE", tokens)
    found = scored(model, TEXTS, 100)
    assert [one.score.targets for one in found] == [len(text) for text in TEXTS]
    expected = [by_hand(model, tokens_of(model, text)) for text in TEXTS]
    assert [one.score.nats for one in found] == pytest.approx(expected, rel=1e-5)


def test_what_is_observed_stays_with_its_record(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOKENS_AT_ONCE", 20)
    found = score_records(
        model,
        records(TEXTS),
        ALONE,
        lambda fields: model.task.encode(fields, 10),
        lambda examples, _batch, _outputs: [len(example["input_ids"]) for example in examples],
    )
    # pieces of a begin token and the text, 10 inputs and one more to predict
    assert [one.seen for one in found] == [(5,), (11, 11, 11, 9), (2,), (11, 5)]


def test_a_vocabulary_of_any_size_leaves_room_for_its_logits(model: LoadedModel) -> None:
    assert scoring.tokens_at_once(model) == scoring.TOKENS_AT_ONCE
    model.network.config.vocab_size = 2**20
    assert scoring.tokens_at_once(model) == 128


def test_the_loss_of_many_is_weighted_by_targets() -> None:
    both = total([Score(nats=2.0, targets=1), Score(nats=3.0, targets=9)])
    assert both.loss == pytest.approx(0.5)
    assert both.perplexity == pytest.approx(math.exp(0.5))


def test_a_malformed_record_is_named(model: LoadedModel) -> None:
    wrong = [dataclasses.replace(records(["x"])[0], fields={"text": 5})]
    with pytest.raises(MalformedDataset, match=r"a\.txt, line 1: text is 5"):
        score_records(model, wrong, ALONE, lambda fields: model.task.encode(fields, 9))
