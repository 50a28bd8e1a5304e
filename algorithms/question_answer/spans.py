"""From logits to answers: spans of all passages, ranked by reader and retriever together.

    score  = (1 - w) * reader + w * retriever,  w = retrieverWeight, all between 0 and 1
    reader = P(start) * P(end): softmax of the start logits, and of the end logits, over the tokens
             of all passages that are read for the question. Normalised passage by passage, a
             passage without an answer would look as sure as one with it (Clark and Gardner 2018,
             "Simple and Effective Multi-Paragraph Reading Comprehension"; Wang et al. 2019,
             "Multi-passage BERT").
    retriever = the passage's score divided by the best one's

The sum is BERTserini's (Yang et al. 2019, "End-to-End Open-Domain Question Answering with
BERTserini"). Of spans that overlap in a document only the best is an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.question_answer.passages import Passage
from algorithms.question_answer.reader import Reading
from algorithms.shared.spans import Logits, spans

CANDIDATES_A_ROW = 4  # for each answer wanted: most overlap with a better one


@dataclass(frozen=True)
class Answer:
    """Characters `start` to `end` (excluded) of the passage's document."""

    passage: Passage
    start: int
    end: int
    reader: float
    retriever: float
    score: float


def rank(
    passages: Sequence[Passage],
    retrieved: Sequence[float],
    readings: Sequence[Reading],
    retriever_weight: float,
    longest: int,
    most: int,
) -> list[Answer]:
    """The best `most` answers of at most `longest` tokens. `retrieved`: the passages' scores."""
    best = max(retrieved, default=0.0)
    shares = [score / best if best > 0 else 0.0 for score in retrieved]
    normaliser = _log_sum([r.starts for r in readings], readings) + _log_sum(
        [r.ends for r in readings], readings
    )
    found: list[Answer] = []
    for reading in readings:
        passage, share = passages[reading.passage], shares[reading.passage]
        for logit, start, end in spans(reading, longest, CANDIDATES_A_ROW * most):
            reader = float(np.exp(logit - normaliser))
            score = (1 - retriever_weight) * reader + retriever_weight * share
            place = passage.start + start, passage.start + end
            found.append(Answer(passage, *place, reader, share, score))
    found.sort(key=lambda answer: -answer.score)
    return _without_overlaps(found, most)


def no_answer_margin(readings: Sequence[Reading], longest: int) -> float:
    """By how much (logits) no answer beats the best span, as in SQuAD 2.0: of all rows the one that
    is least sure of it counts. Infinite if there is no span."""
    best = max((logit for r in readings for logit, _, _ in spans(r, longest, 1)), default=-np.inf)
    return float(min((r.no_answer for r in readings), default=0.0) - best)


def _log_sum(logits: Sequence[Logits], readings: Sequence[Reading]) -> float:
    """Over all tokens that an answer may have."""
    inside = [values[reading.inside] for values, reading in zip(logits, readings, strict=True)]
    return float(np.logaddexp.reduce(np.concatenate([*inside, np.array([-np.inf])])))


def _without_overlaps(ranked: Sequence[Answer], most: int) -> list[Answer]:
    kept: list[Answer] = []
    for answer in ranked:
        if len(kept) < most and not any(_overlap(answer, other) for other in kept):
            kept.append(answer)
    return kept


def _overlap(one: Answer, other: Answer) -> bool:
    same = one.passage.document == other.passage.document
    return same and one.start < other.end and other.start < one.end
