"""Question-answer: index the corpus, answer each question, write answers.jsonl and the report."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from algorithms.question_answer.answering import Answering, Library
from algorithms.question_answer.corpus import DocumentStore, read_documents, stored
from algorithms.question_answer.index import Index, build_index
from algorithms.question_answer.parameters import QuestionAnswerParameters, refuse_contradictions
from algorithms.question_answer.questions import Question, questions_of
from algorithms.question_answer.reader import Reader
from algorithms.question_answer.terms import WEIGHTINGS
from algorithms.shared.first_rank import Heart, waited_for
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.report import write_report
from algorithms.shared.squad import exact_match, word_f1
from algorithms.shared.training.precision import arithmetic_dtype

DEFAULT_LENGTH = 384  # tokens at once, as readers are trained
FOLDER = "corpus"  # in scratch


def run(task: Task[QuestionAnswerParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    wanted = task.parameters
    refuse_contradictions(wanted)
    with joined_ranks(seed=0) as ranks:  # nothing is left to chance
        questions = questions_of(task)
        reader = load_reader(task.model(), wanted, ranks)
        started_at = time.monotonic()
        library = open_library(task.file_input("corpus"), task.scratch, wanted, ranks)
        indexed_at = time.monotonic()
        answering = Answering(library, reader, wanted)
        lines = _answer_all(answering, questions, ranks, shows=ranks.is_first and wanted.stream)
        if ranks.is_first:
            seconds = (indexed_at - started_at, time.monotonic() - indexed_at)
            _write(task, lines, questions, len(library.documents), *seconds)


def load_reader(folder: Path, wanted: QuestionAnswerParameters, ranks: Ranks) -> Reader:
    """Raises BadModel, UnsupportedModel, BadParameter."""
    dtype = arithmetic_dtype(wanted.dtype, ranks.device)
    model = load(LoadRequest(folder, "question-answering", device=ranks.device, dtype=dtype))
    return Reader(model, model.window(wanted.block_length, DEFAULT_LENGTH), wanted.batch_rows)


def open_library(
    corpus: Path, scratch: Path, wanted: QuestionAnswerParameters, ranks: Ranks
) -> Library:
    """The first rank makes it, the others wait; all read the same files. Made anew each time."""
    folder, weighting = scratch / FOLDER, WEIGHTINGS[wanted.retriever]()
    if ranks.is_first:
        heart = Heart(ranks)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        documents = stored(read_documents(corpus), folder, _told(heart.beat))
        build_index((document.searched for document in documents), weighting, folder)
        heart.stop(str(folder))
    else:
        waited_for(ranks)
    return Library(DocumentStore(folder), Index(folder, weighting))


def _told(beat: Callable[[], None], every: int = 100_000) -> Callable[[], None]:
    """Counts documents in the log."""
    seen = 0

    def tell() -> None:
        nonlocal seen
        seen += 1
        beat()
        if seen % every == 0:
            print(f"{seen:,} documents indexed", flush=True)

    return tell


def _answer_all(
    answering: Answering, questions: Sequence[Question], ranks: Ranks, shows: bool
) -> list[dict[str, Any]]:
    mine = ranks.share(questions)
    progress = Progress(max(len(mine), 1), enabled=ranks.is_first)
    started_at = time.monotonic()
    lines: list[dict[str, Any]] = []
    for question in mine:
        lines.append(answering.line(question))
        if shows:
            print(_shown(lines[-1]), flush=True)
        rate = len(lines) / max(time.monotonic() - started_at, 1e-9)
        progress.report(len(lines), {"questionsPerSecond": rate})
    return ranks.gather(lines)


def _shown(line: dict[str, Any]) -> str:
    """A line of the log; "| ": a text can't be taken for a line of progress."""
    if not line["answer"]:
        return f"| {line['id']} {json.dumps(line['question'], ensure_ascii=False)} → no answer"
    best = line["answers"][0]
    asked, said = (
        json.dumps(text, ensure_ascii=False) for text in (line["question"], best["text"])
    )
    return f"| {line['id']} {asked} → {said} ({best['document']}, {best['score']:.3f})"


def _write(
    task: Task[QuestionAnswerParameters],
    lines: Sequence[dict[str, Any]],
    questions: Sequence[Question],
    documents: int,
    index_seconds: float,
    answer_seconds: float,
) -> None:
    rows = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    (task.outputs / "answers.jsonl").write_text("".join(rows), encoding="utf-8")
    metrics = {
        "questions": float(len(questions)),
        "documents": float(documents),
        "answered": float(sum(1 for line in lines if line["answer"])),
        "indexSeconds": round(index_seconds, 3),
        "answerSeconds": round(answer_seconds, 3),
    }
    said = [line["answer"] for line in lines]
    write_report(task, metrics | agreement(said, questions))


def agreement(said: Sequence[str], questions: Sequence[Question]) -> dict[str, float]:
    """Exact match and F1 over the questions whose answers are known; {} if there is none."""
    known = [
        (answer, question.answers)
        for answer, question in zip(said, questions, strict=True)
        if question.answers is not None
    ]
    if not known:
        return {}
    return {
        "exactMatch": sum(exact_match(*pair) for pair in known) / len(known),
        "f1": sum(word_f1(*pair) for pair in known) / len(known),
        "judged": float(len(known)),
    }
