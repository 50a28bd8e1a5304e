"""Shortlisting against scores computed word by word, and spans against trying all of them."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from algorithms.question_answer.corpus import Document, DocumentStore, stored
from algorithms.question_answer.index import CHUNK_DOCUMENTS, Index, build_index
from algorithms.question_answer.parameters import RetrieverName
from algorithms.question_answer.passages import Passage, cut
from algorithms.question_answer.reader import Reading
from algorithms.question_answer.spans import no_answer_margin, rank
from algorithms.question_answer.terms import WEIGHTINGS
from algorithms.shared.spans import spans

WORDS = [f"word{number}" for number in range(300)]
QUERIES = ["word1 word2", "Word5 word7 word5?", "unheard words", "wörd1 word299, word3!", ""]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """More than one chunk of documents; some words are common, most are rare."""
    dice = random.Random(3)
    return [
        " ".join(WORDS[int(300 * dice.random() ** 3)] for _ in range(dice.randrange(1, 40)))
        for _ in range(CHUNK_DOCUMENTS + 50)
    ]


def terms_of(text: str, longest: int) -> Counter[str]:
    words = re.findall(r"\w+", text.lower().replace("ö", "o"))
    return Counter(
        " ".join(words[first : first + size])
        for size in range(1, longest + 1)
        for first in range(len(words) - size + 1)
    )


def brute_force(retriever: RetrieverName, texts: Sequence[str], query: str) -> list[float]:
    """By the definitions, without hashing."""
    longest = 2 if retriever == "tfidf" else 1
    bags = [terms_of(text, longest) for text in texts]
    with_term = Counter(term for bag in bags for term in bag)
    average = sum(bag.total() for bag in bags) / len(bags)

    def score(bag: Counter[str]) -> float:
        found = 0.0
        for term, asked in terms_of(query, longest).items():
            ratio = (len(bags) - with_term[term] + 0.5) / (with_term[term] + 0.5)
            if retriever == "tfidf":
                idf = max(0.0, math.log(ratio))
                found += math.log(1 + asked) * idf * math.log(1 + bag[term]) * idf
            else:
                length = 1.2 * (1 - 0.75 + 0.75 * bag.total() / average)
                found += asked * math.log(1 + ratio) * bag[term] * 2.2 / (bag[term] + length)
        return found

    return [score(bag) for bag in bags]


@pytest.mark.parametrize("retriever", ["tfidf", "bm25"])
def test_documents_are_shortlisted_as_by_brute_force(
    retriever: RetrieverName, texts: list[str], tmp_path: Path
) -> None:
    weighting = WEIGHTINGS[retriever]()
    build_index(iter(texts), weighting, tmp_path)
    index = Index(tmp_path, weighting)
    for query in QUERIES:
        expected = brute_force(retriever, texts, query)
        order = sorted(range(len(texts)), key=lambda number: -expected[number])[:10]
        found = index.best(query, 10)
        scores = [score for _, score in found]
        assert scores == pytest.approx([expected[number] for number in order], rel=1e-4)
        assert [score for _, score in found] == pytest.approx(
            [expected[number] for number, _ in found], rel=1e-4
        )
        assert index.score(query, texts) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_fewer_documents_than_wanted_are_all_shortlisted(tmp_path: Path) -> None:
    weighting = WEIGHTINGS["bm25"]()
    build_index(iter(["one two", "two three"]), weighting, tmp_path)
    assert [number for number, _ in Index(tmp_path, weighting).best("three", 5)] == [1, 0]


def test_documents_are_found_again_by_number(tmp_path: Path) -> None:
    documents = [Document(str(n), f"Title {n}", f"line\none – {n}\u2028") for n in range(5)]
    passed = list(stored(iter(documents), tmp_path, lambda: None))
    store = DocumentStore(tmp_path)
    assert passed == documents
    assert [store[number] for number in (4, 0, 2)] == [documents[n] for n in (4, 0, 2)]
    assert len(store) == 5


@pytest.mark.parametrize(("words", "overlap"), [(4, 1), (4, 3), (50, 10), (1, 0)])
def test_passages_cover_a_document_and_overlap(words: int, overlap: int) -> None:
    text = "  ".join(f"w{number}." for number in range(23)) + "\n"
    passages = list(cut(7, text, words, overlap))
    assert all(text[p.start : p.end] == p.text and p.document == 7 for p in passages)
    split = [p.text.split() for p in passages]
    assert sum((part[overlap:] for part in split[1:]), split[0]) == text.split()
    assert all(len(part) <= words for part in split)
    neighbours = itertools.pairwise(split) if overlap else ()
    assert all(one[-overlap:] == two[:overlap] for one, two in neighbours)


def reading(passage: int, seed: int, tokens: int = 9) -> Reading:
    """Random logits; the first two tokens and the last are none of the passage's."""
    dice = np.random.default_rng(seed)
    inside = range(2, tokens - 1)
    offsets = [(4 * n, 4 * n + 3) if n in inside else None for n in range(tokens)]
    starts, ends = dice.normal(size=tokens), dice.normal(size=tokens)
    return Reading(passage=passage, offsets=offsets, starts=starts, ends=ends)


def test_spans_are_the_best_of_all() -> None:
    one = reading(0, seed=1)
    every = {
        (first, last): float(one.starts[first] + one.ends[last])
        for first in range(2, 8)
        for last in range(first, min(first + 3, 8))
    }
    found = list(spans(one, longest=3, most=99))
    (first, last), score = max(every.items(), key=lambda item: item[1])
    assert found[0] == pytest.approx((score, 4 * first, 4 * last + 3))
    assert len(found) == 6
    assert all(end - start <= 4 * 3 for _, start, end in found)
    assert no_answer_margin([one], 3) == pytest.approx(one.starts[0] + one.ends[0] - score)


def test_chances_are_shared_by_all_passages() -> None:
    """The reader's part of all spans, over all pairs of tokens of all passages, sums to 1."""
    passages = [Passage(0, 0, "x" * 40), Passage(0, 100, "x" * 40), Passage(1, 0, "x" * 40)]
    readings = [reading(number, seed=number) for number in range(3)]
    starts = np.concatenate([r.starts[2:8] for r in readings])
    ends = np.concatenate([r.ends[2:8] for r in readings])
    answers = rank(passages, [2.0, 4.0, 0.0], readings, 0.25, longest=9, most=4)
    for answer in answers:
        one = readings[passages.index(answer.passage)]
        first = (answer.start - answer.passage.start) // 4
        last = (answer.end - answer.passage.start) // 4
        chance = np.exp(one.starts[first]) / np.exp(starts).sum()
        chance *= np.exp(one.ends[last]) / np.exp(ends).sum()
        share = {0: 0.5, 1: 1.0, 2: 0.0}[passages.index(answer.passage)]
        assert answer.reader == pytest.approx(chance)
        assert answer.score == pytest.approx(0.75 * chance + 0.25 * share)
    assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)
    assert len(answers) == 4
