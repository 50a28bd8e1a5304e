"""Terms of a text, hashed, and how much each weighs: TF-IDF as DrQA has it, or BM25.

Both score a text t for a question q by the sum over their common terms of `query * text`, where N
is the number of documents, df how many hold the term, tf how often the text does:

    tfidf   query = log(1 + tf_q) * idf     text = log(1 + tf_t) * idf
            idf   = max(0, log((N - df + 0.5) / (df + 0.5)))
            over words and pairs of words (Chen et al. 2017, "Reading Wikipedia to Answer
            Open-Domain Questions", section 3.1, and its code)
    bm25    query = tf_q
            text  = idf * tf_t * (k1 + 1) / (tf_t + k1 * (1 - b + b * length / average length))
            idf   = log(1 + (N - df + 0.5) / (df + 0.5)), k1 = 1.2, b = 0.75
            over words (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25
            and Beyond"; this idf, which is never negative, is Lucene's)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import HashingVectorizer

from algorithms.question_answer.parameters import RetrieverName

HASHED_TERMS = 2**24  # as DrQA: of two million pairs of words one in nine shares its number
K1, B = 1.2, 0.75
Floats = npt.NDArray[np.float32]


class Weighting(ABC):
    """How a term counts. Arrays are of one length: an element a term (of a text)."""

    longest_term: ClassVar[int]  # words

    @abstractmethod
    def idf(self, documents: int, with_term: npt.NDArray[np.int64]) -> Floats:
        """How rare terms are: at least 0."""

    @abstractmethod
    def of_query(self, counts: Floats, idf: Floats) -> Floats:
        """Of a question's terms."""

    @abstractmethod
    def of_text(self, counts: Floats, idf: Floats, relative_length: Floats | float) -> Floats:
        """Of a text's terms; `relative_length` 1: as many terms as the average document."""

    def vectorizer(self) -> Any:
        """From texts to counts of hashed terms: `transform` gives [texts, HASHED_TERMS], sparse."""
        return HashingVectorizer(
            n_features=HASHED_TERMS,
            ngram_range=(1, self.longest_term),
            token_pattern=r"(?u)\b\w+\b",
            strip_accents="unicode",
            alternate_sign=False,
            norm=None,
            dtype=np.float32,
        )


class TfIdf(Weighting):
    """DrQA's."""

    longest_term = 2

    def idf(self, documents: int, with_term: npt.NDArray[np.int64]) -> Floats:
        ratio = (documents - with_term + 0.5) / (with_term + 0.5)
        return np.maximum(np.log(ratio), 0).astype(np.float32)

    def of_query(self, counts: Floats, idf: Floats) -> Floats:
        return (np.log1p(counts) * idf).astype(np.float32)

    def of_text(self, counts: Floats, idf: Floats, relative_length: Floats | float) -> Floats:
        return (np.log1p(counts) * idf).astype(np.float32)


class Bm25(Weighting):
    """Okapi's."""

    longest_term = 1

    def idf(self, documents: int, with_term: npt.NDArray[np.int64]) -> Floats:
        ratio = (documents - with_term + 0.5) / (with_term + 0.5)
        return np.log1p(ratio).astype(np.float32)

    def of_query(self, counts: Floats, idf: Floats) -> Floats:
        return counts

    def of_text(self, counts: Floats, idf: Floats, relative_length: Floats | float) -> Floats:
        long = 1 - B + B * np.asarray(relative_length)
        return (idf * counts * (K1 + 1) / (counts + K1 * long)).astype(np.float32)


WEIGHTINGS: dict[RetrieverName, type[Weighting]] = {"tfidf": TfIdf, "bm25": Bm25}
