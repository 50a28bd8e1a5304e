"""How right an answer is, as SQuAD judges it: exact match and F1 of the answers' words.

Rajpurkar et al. 2016 and 2018; the normalisation is that of SQuAD's evaluate-v2.0.py.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(predicted: str, golds: Sequence[str]) -> float:
    """1 or 0. No golds: the question has no answer, and "" is right."""
    return float(any(normalised(predicted) == normalised(gold) for gold in golds or [""]))


def word_f1(predicted: str, golds: Sequence[str]) -> float:
    """Of the words, as bags; the best over the right answers."""
    return max(
        _f1(normalised(predicted).split(), normalised(gold).split()) for gold in golds or [""]
    )


def _f1(predicted: Sequence[str], gold: Sequence[str]) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    common = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * common / (len(predicted) + len(gold))
