"""The corpus' terms, by term: which documents hold it, and how much it weighs in each.

Built in one pass over the documents; what is held in memory is sparse, about 40 bytes for each pair
of a term and a document, and lies in files that every process of a node maps.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from algorithms.question_answer.terms import Floats, Weighting

CHUNK_DOCUMENTS = 256
Terms = npt.NDArray[np.int32]
ARRAYS = ("terms", "starts", "documents", "weights", "idf", "facts")


def build_index(texts: Iterable[str], weighting: Weighting, folder: Path) -> None:
    """Write the index of the texts, numbered from 0."""
    columns, counts, sizes = _counted(texts, weighting)
    documents = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    lengths = np.bincount(documents, weights=counts, minlength=len(sizes))
    average = float(lengths.mean()) or 1.0
    by_term = np.argsort(columns, kind="stable")
    documents, counts = documents[by_term], counts[by_term]
    terms, starts, with_term = np.unique(columns[by_term], return_index=True, return_counts=True)
    idf = weighting.idf(len(sizes), with_term)
    relative = (lengths[documents] / average).astype(np.float32)
    found = {
        "terms": terms,
        "starts": np.append(starts, len(documents)),
        "documents": documents,
        "weights": weighting.of_text(counts, np.repeat(idf, with_term), relative),
        "idf": idf,
        "facts": np.array([len(sizes), average]),
    }
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", found[name])


def _counted(texts: Iterable[str], weighting: Weighting) -> tuple[Terms, Floats, Terms]:
    """Of each text in turn its hashed terms, how often it has each, and how many it has."""
    vectorizer, rest = weighting.vectorizer(), iter(texts)
    parts: list[tuple[Terms, Floats, Terms]] = []
    while chunk := list(islice(rest, CHUNK_DOCUMENTS)):
        found = vectorizer.transform(chunk)
        parts.append((found.indices, found.data, np.diff(found.indptr)))
    columns, counts, sizes = zip(*parts, strict=True)
    return np.concatenate(columns), np.concatenate(counts), np.concatenate(sizes)


class Index:
    """What `build_index` wrote, mapped into memory."""

    def __init__(self, folder: Path, weighting: Weighting) -> None:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        self._terms, self._starts = arrays["terms"], arrays["starts"]
        self._documents, self._weights = arrays["documents"], arrays["weights"]
        self._idf = arrays["idf"]
        self._count, self._average = int(arrays["facts"][0]), float(arrays["facts"][1])
        self._weighting = weighting
        self._vectorizer = weighting.vectorizer()

    def best(self, question: str, most: int) -> list[tuple[int, float]]:
        """The documents that match best, with their scores; of equal ones the first."""
        scores = np.zeros(self._count, dtype=np.float32)
        places, weights = self._query(question)
        for place, weight in zip(places, weights, strict=True):
            held = slice(self._starts[place], self._starts[place + 1])
            scores[self._documents[held]] += weight * self._weights[held]
        lowest = np.partition(scores, -most)[-most] if most < self._count else -np.inf
        candidates = np.flatnonzero(scores >= lowest)
        chosen = candidates[np.argsort(-scores[candidates], kind="stable")][:most]
        return [(int(number), float(scores[number])) for number in chosen]

    def score(self, question: str, texts: list[str]) -> list[float]:
        """Of any texts, such as passages, by the corpus' own rarities of terms."""
        places, weights = self._query(question)
        counts = self._vectorizer.transform(texts)
        lengths = np.asarray(counts.sum(axis=1), dtype=np.float32)
        asked = counts[:, self._terms[places]].toarray()  # [texts, terms of the question]
        in_texts = self._weighting.of_text(asked, self._idf[places], lengths / self._average)
        return [float(score) for score in in_texts @ weights]

    def _query(self, question: str) -> tuple[npt.NDArray[np.int64], Floats]:
        """Places among the terms, and weights, of the question's terms that the corpus has."""
        counts = self._vectorizer.transform([question])
        places = np.searchsorted(self._terms, counts.indices)
        places = np.minimum(places, len(self._terms) - 1)
        known = self._terms[places] == counts.indices
        places = places[known].astype(np.int64)
        return places, self._weighting.of_query(counts.data[known], self._idf[places])
