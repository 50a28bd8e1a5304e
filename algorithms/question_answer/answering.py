"""One question: shortlist, cut, choose passages, read them, rank their spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from algorithms.question_answer.corpus import Document, DocumentStore
from algorithms.question_answer.index import Index
from algorithms.question_answer.parameters import QuestionAnswerParameters
from algorithms.question_answer.passages import Passage, cut
from algorithms.question_answer.questions import Question
from algorithms.question_answer.reader import Reader
from algorithms.question_answer.spans import Answer, no_answer_margin, rank


@dataclass(frozen=True)
class Library:
    """The corpus: its texts, and the index of them."""

    documents: DocumentStore
    index: Index


class Answering:
    """Answers by one library, one reader, one set of parameters."""

    def __init__(self, library: Library, reader: Reader, wanted: QuestionAnswerParameters) -> None:
        self._library = library
        self._reader = reader
        self._wanted = wanted

    def line(self, question: Question) -> dict[str, Any]:
        """A line of answers.jsonl."""
        wanted = self._wanted
        documents = self._shortlist(question.text)
        passages, retrieved = self._passages(question.text, documents)
        readings = self._reader.read(question.text, [passage.text for passage in passages])
        ranked = rank(
            passages,
            retrieved,
            readings,
            wanted.retriever_weight,
            wanted.max_answer_tokens,
            wanted.top_answers,
        )
        answers = [_answer(answer, documents[answer.passage.document]) for answer in ranked]
        margin = no_answer_margin(readings, wanted.max_answer_tokens)
        threshold = wanted.no_answer_threshold
        silent = not answers or (threshold is not None and margin > threshold)
        return {
            "id": question.id,
            "question": question.text,
            "answer": "" if silent else answers[0]["text"],
            "answers": answers,
            "noAnswerMargin": round(margin, 6) if answers else None,
        }

    def _shortlist(self, question: str) -> dict[int, Document]:
        best = self._library.index.best(question, self._wanted.documents)
        return {number: self._library.documents[number] for number, _ in best}

    def _passages(
        self, question: str, documents: dict[int, Document]
    ) -> tuple[list[Passage], Sequence[float]]:
        """Those that are read, and their scores, best first; of equal ones the earlier."""
        wanted = self._wanted
        found = [
            passage
            for number, document in documents.items()
            for passage in cut(number, document.text, wanted.passage_words, wanted.passage_overlap)
        ]
        texts = [f"{documents[p.document].title}\n{p.text}" for p in found]
        scores = self._library.index.score(question, texts)
        best = sorted(range(len(found)), key=lambda place: -scores[place])[: wanted.passages]
        return [found[place] for place in best], [scores[place] for place in best]


def _answer(answer: Answer, document: Document) -> dict[str, Any]:
    return {
        "text": document.text[answer.start : answer.end],
        "document": document.id,
        "title": document.title,
        "start": answer.start,
        "end": answer.end,
        "score": round(answer.score, 6),
        "reader": round(answer.reader, 6),
        "retriever": round(answer.retriever, 6),
        "passage": {
            "text": answer.passage.text,
            "start": answer.passage.start,
            "end": answer.passage.end,
        },
    }
