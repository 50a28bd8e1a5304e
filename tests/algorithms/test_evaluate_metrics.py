"""The metrics themselves, against cases counted by hand or by the sources that define them."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from sklearn.metrics import f1_score

from algorithms.evaluate import table
from algorithms.evaluate.judges.answers import LONGEST_ANSWER, best_span
from algorithms.evaluate.judges.classes import macro_f1
from algorithms.evaluate.judges.spans import (
    Found,
    Span,
    are_entity_tags,
    found,
    precision_recall_f1,
    spans,
)
from algorithms.shared.squad import exact_match, normalised, word_f1

pytestmark = pytest.mark.models


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-PER I-PER O", [("PER", 0, 2)]),
        ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),  # an I- of another kind begins one
        ("I-PER I-PER O I-PER", [("PER", 0, 2), ("PER", 3, 4)]),
        ("O B-LOC", [("LOC", 1, 2)]),
    ],
)
def test_spans_of_tags(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert list(spans(tags.split())) == [Span(*span) for span in expected]


def test_a_span_is_right_only_as_a_whole() -> None:
    counts = [
        found(["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "I-PER", "O", "B-PER"]),
        found(["B-PER", "I-PER", "O"], ["B-PER", "O", "O"]),
        found(["B-LOC"], ["O"]),
    ]
    assert counts == [(1, 2, 2), (0, 1, 1), (0, 0, 1)]
    precision, recall, f1 = precision_recall_f1(counts)
    assert [precision, recall, f1] == pytest.approx([1 / 3, 1 / 4, 2 / 7])
    assert precision_recall_f1([Found(0, 0, 0)]) == (0, 0, 0)


def test_macro_f1_is_scikit_learns() -> None:
    draw = random.Random(2)
    for classes in (1, 2, 5):
        pairs = [(draw.randrange(classes), draw.randrange(classes + 1)) for _ in range(20)]
        expected, predicted = zip(*pairs, strict=True)
        reference = f1_score(expected, predicted, average="macro", zero_division=0)
        assert macro_f1(pairs) == pytest.approx(reference)


def test_only_entity_tags_are_counted_as_entities() -> None:
    assert are_entity_tags(["O", "B-PER", "I-PER"])
    assert not are_entity_tags(["NOUN", "VERB"])
    assert not are_entity_tags(["LABEL_0", "LABEL_1"])
    assert not are_entity_tags(["O"])


def test_answers_are_compared_without_case_articles_and_punctuation() -> None:
    assert normalised("The  Denver-Broncos, a team!") == "denverbroncos team"
    assert exact_match("the Broncos", ["Denver Broncos", "Broncos."]) == 1
    assert exact_match("Broncos", ["Denver Broncos"]) == 0
    assert exact_match("", []) == 1
    assert exact_match("Broncos", []) == 0


def test_f1_is_of_words_as_bags_and_the_best_over_the_answers() -> None:
    assert word_f1("Denver Broncos", ["the Broncos of Denver"]) == pytest.approx(4 / 5)
    assert word_f1("Denver Broncos", ["Carolina", "Denver"]) == pytest.approx(2 / 3)
    assert word_f1("very very good", ["very good"]) == pytest.approx(4 / 5)
    assert word_f1("", []) == 1
    assert word_f1("", ["Denver"]) == 0


def test_the_best_span_is_that_of_all_pairs() -> None:
    draw = random.Random(1)
    for _ in range(20):
        start, end = (torch.tensor([draw.uniform(-5, 5) for _ in range(60)]) for _ in range(2))
        offsets = [None if n < 5 or n > 50 else (n * 2, n * 2 + 1) for n in range(55)]
        pairs = [
            (float(start[first] + end[last]), first * 2, last * 2 + 1)
            for first, last in itertools.product(range(5, 51), repeat=2)
            if 0 <= last - first < LONGEST_ANSWER
        ]
        expected = max(pairs)
        score, begin, finish, none = best_span(start, end, offsets)
        assert (begin, finish) == expected[1:]
        assert score == pytest.approx(expected[0])
        assert none == pytest.approx(float(start[0] + end[0]))


def test_a_row_without_context_has_no_span() -> None:
    zeros = torch.zeros(3)
    assert best_span(zeros, zeros, [None, None, None])[:3] == (-float("inf"), 0, 0)


def test_the_table_is_aligned() -> None:
    rows = [{"model": "a", "loss": 3.25, "bleu": 7.0}, {"model": "longer", "loss": 10.5}]
    assert table.lines(rows, ["loss", "bleu"]) == [
        "model      loss    bleu",
        "a        3.2500  7.0000",
        "longer  10.5000       -",
    ]
