"""The questions, and the right answers where they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.question_answer.parameters import QuestionAnswerParameters
from algorithms.shared.data.files import data_files
from algorithms.shared.data.lines import numbered_lines
from algorithms.shared.data.readers import rows_of
from algorithms.shared.data.records import place
from algorithms.shared.failures import EmptyDataset, MalformedDataset
from algorithms.shared.inputs import Task

COLUMNS = ("id", "question", "answers")


@dataclass(frozen=True)
class Question:
    """`answers` None: not known; empty: it has none."""

    id: str
    text: str
    answers: tuple[str, ...] | None = None


def questions_of(task: Task[QuestionAnswerParameters]) -> list[Question]:
    """Of the parameters, else of the input. Raises MalformedDataset, EmptyDataset."""
    listed = task.parameters.questions
    if listed:
        return [Question(f"question:{n}", text) for n, text in enumerate(listed, start=1)]
    path = task.file_input("questions")
    found = [
        question
        for name, file in data_files(path)
        for question in _questions_in(name, file)
        if question.text.strip()
    ]
    if not found:
        raise EmptyDataset(f"{path.name} holds no question: every one is blank, or none is there.")
    return found


def _questions_in(name: str, file: Path) -> Iterator[Question]:
    if file.suffix.lower() == ".txt":
        for number, line in numbered_lines(name, file):
            yield Question(f"{name}:{number}", line.strip())
        return
    for number, row in rows_of(name, file, COLUMNS):
        yield _question(f"{name}:{number}", row)


def _question(where: str, row: Mapping[str, Any]) -> Question:
    text, given = row.get("question"), row.get("id")
    if not isinstance(text, str):
        raise MalformedDataset(f'{place(where)}: has no question; write {{"question": "…"}}.')
    return Question(where if given is None else str(given), text, _answers(where, row))


def _answers(where: str, row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """A string, a list of them, or SQuAD's {"text": […]}."""
    answers = row.get("answers")
    if isinstance(answers, Mapping):
        answers = answers.get("text")
    if answers is None:
        return None
    texts = [answers] if isinstance(answers, str) else answers
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise MalformedDataset(
            f'{place(where)}: answers must be a list of strings, or {{"text": […]}}.'
        )
    return tuple(texts)
