"""Negative log-likelihood, against a computation by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy
import pytest
import torch

from algorithms.shared.language_model import LanguageModel, load
from algorithms.shared.ranks import Ranks
from algorithms.shared.scoring import IGNORED, Score, nll_sum, score_texts, total, windows

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def model(tiny_model: Path) -> LanguageModel:
    return load(tiny_model, ALONE.device, torch.float32)


def by_hand(model: LanguageModel, tokens: list[int]) -> float:
    """Nats of all tokens but the first, each from all before it, in float64."""
    with torch.no_grad():
        logits = model.network(torch.tensor([tokens])).logits[0].double().numpy()
    chances = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    return -sum(math.log(chances[place, token]) for place, token in enumerate(tokens[1:]))


def test_ignored_targets_count_for_nothing() -> None:
    logits = torch.zeros(1, 3, 4)
    nll = nll_sum(logits, torch.tensor([[1, IGNORED, 3]]))
    assert float(nll) == pytest.approx(2 * math.log(4))


def test_windows_make_each_token_but_the_first_a_target_once() -> None:
    cut = list(windows([5, 6, 7, 8, 9, 10], 2))
    assert cut == [([5, 6], [6, 7]), ([7, 8], [8, 9]), ([9], [10])]
    assert list(windows([5], 2)) == []


def test_a_text_is_scored_from_its_first_token_on(model: LanguageModel) -> None:
    [score] = score_texts(model, ["Seas"], 100, ALONE)
    tokens = [0, *model.tokens(["Seas"])[0]]
    assert score.tokens == 4
    assert score.nll == pytest.approx(by_hand(model, tokens), rel=1e-5)


def test_a_long_text_is_scored_in_windows(model: LanguageModel) -> None:
    [score] = score_texts(model, ["Seas"], 3, ALONE)
    tokens = [0, *model.tokens(["Seas"])[0]]
    expected = by_hand(model, tokens[:4]) + by_hand(model, tokens[3:])
    assert score.nll == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_many_is_weighted_by_tokens() -> None:
    both = total([Score(nll=2.0, tokens=1), Score(nll=3.0, tokens=9)])
    assert both.loss == pytest.approx(0.5)
    assert both.perplexity == pytest.approx(math.exp(0.5))
