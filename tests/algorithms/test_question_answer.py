"""Questions over a corpus: the right span of the right document wins, and says where it stands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.algorithms.conftest import Run, command_line, report_of, run_process, spoiled
from tests.algorithms.tiny_reader import write_tiny_reader

pytestmark = pytest.mark.models
CAPITALS = {"Norway": "Oslo", "Kenya": "Nairobi", "Peru": "Lima", "Japan": "Tokyo"}
CORPUS = [
    *(
        {"id": f"facts/{land}", "title": land, "text": f"So. The capital of {land} is {town}."}
        for land, town in CAPITALS.items()
    ),
    {"id": "rivers", "title": "Rivers", "text": "Norway has many rivers and Kenya has a lake."},
    {"id": "cooking", "title": "Cooking", "text": "Boil the rice in a pot and wait."},
]
NORWAY = "What is the capital of Norway?"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_reader(tmp_path_factory.mktemp("reader"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return written(tmp_path / "corpus.jsonl", CORPUS)


def written(file: Path, records: Sequence[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def answered(
    run: Run, parameters: dict[str, Any], outputs: Path, **options: Any
) -> list[dict[str, Any]]:
    ended = run("question-answer", parameters, outputs=outputs, **options)
    assert ended.code == 0, ended.output
    return [json.loads(line) for line in (outputs / "answers.jsonl").open()]


@pytest.mark.parametrize("retriever", ["tfidf", "bm25"])
def test_the_right_span_of_the_right_document_wins(
    run: Run, reader: Path, corpus: Path, tmp_path: Path, retriever: str
) -> None:
    asked = {
        "questions": [f"What is the capital of {land}?" for land in CAPITALS],
        "retriever": retriever,
    }
    lines = answered(run, asked, tmp_path / "out", model=reader, corpus=corpus)
    texts = {record["id"]: record["text"] for record in CORPUS}
    for line, (land, town) in zip(lines, CAPITALS.items(), strict=True):
        best = line["answers"][0]
        assert (line["answer"], best["document"], best["title"]) == (town, f"facts/{land}", land)
        assert texts[best["document"]][best["start"] : best["end"]] == town
        assert best["passage"]["text"] == texts[best["document"]]
        assert [answer["score"] for answer in line["answers"]] == sorted(
            (answer["score"] for answer in line["answers"]), reverse=True
        )


def test_reader_and_retriever_know_together_what_neither_knows(
    run: Run, reader: Path, corpus: Path, tmp_path: Path
) -> None:
    """ "Norway has many" fools the reader; each capital's sentence looks alike to the retriever."""

    def best(weight: float) -> dict[str, Any]:
        wanted = {"questions": [NORWAY], "retrieverWeight": weight}
        [line] = answered(run, wanted, tmp_path / "out", model=reader, corpus=corpus)
        answers: list[dict[str, Any]] = line["answers"]
        return {answer["text"]: answer for answer in answers}

    alone, together = best(0.0), best(0.3)
    assert alone["many"]["score"] == pytest.approx(alone["Oslo"]["score"], rel=0.05)
    assert together["Oslo"]["score"] > together["many"]["score"] + 0.1
    for answer in together.values():
        expected = 0.7 * answer["reader"] + 0.3 * answer["retriever"]
        assert answer["score"] == pytest.approx(expected, abs=1e-5)


def test_an_answer_deep_in_a_long_document_has_its_place(
    run: Run, reader: Path, tmp_path: Path
) -> None:
    """The reader takes 64 tokens at once, a passage has more, the document still more."""
    filler = "Nothing is to be learnt from this line, which goes on. " * 40
    text = f"{filler}The capital of Kenya is Nairobi. {filler}"
    corpus = written(tmp_path / "corpus.jsonl", [{"text": text}, *CORPUS[-2:]])
    asked = {"questions": ["What is the capital of Kenya?"], "passageWords": 100}
    [line] = answered(run, asked, tmp_path / "out", model=reader, corpus=corpus)
    best = line["answers"][0]
    assert (best["text"], best["document"]) == ("Nairobi", "corpus.jsonl:1")
    assert best["start"] == text.index("Nairobi")
    assert 90 <= len(best["passage"]["text"].split()) <= 100
    assert text[best["passage"]["start"] : best["passage"]["end"]] == best["passage"]["text"]
    assert not overlapping(line["answers"])


def overlapping(answers: Sequence[dict[str, Any]]) -> bool:
    spans = sorted((answer["document"], answer["start"], answer["end"]) for answer in answers)
    return any(one[0] == next_[0] and next_[1] < one[2] for one, next_ in itertools.pairwise(spans))


def test_a_question_without_an_answer_gets_none(
    run: Run, reader: Path, corpus: Path, tmp_path: Path
) -> None:
    questions = written(
        tmp_path / "questions.jsonl",
        [
            {"id": "a", "question": NORWAY, "answers": ["Oslo", "the city of Oslo"]},
            {"id": "b", "question": "What is the capital of Egypt?", "answers": []},
            {"question": "What is the capital of Peru?", "answers": {"text": ["Lima City"]}},
            {"question": "What is the capital of Japan?"},
        ],
    )
    options = {"model": reader, "corpus": corpus, "questions": questions}
    lines = answered(run, {"noAnswerThreshold": 0}, tmp_path / "out", **options)
    assert [line["id"] for line in lines] == ["a", "b", "questions.jsonl:3", "questions.jsonl:4"]
    assert [line["answer"] for line in lines] == ["Oslo", "", "Lima", "Tokyo"]
    assert lines[1]["noAnswerMargin"] > 0 > lines[0]["noAnswerMargin"]
    metrics = report_of(tmp_path / "out")["metrics"]
    assert (metrics["questions"], metrics["answered"], metrics["documents"]) == (4, 3, 6)
    assert metrics["exactMatch"] == pytest.approx(2 / 3)
    assert metrics["f1"] == pytest.approx((1 + 1 + 2 / 3) / 3)
    always = answered(run, {}, tmp_path / "always", **options)
    assert always[1]["answer"] != ""


def test_a_folder_of_texts_is_a_corpus_and_lines_are_questions(
    run: Run, reader: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "encyclopedia"
    (folder / "africa").mkdir(parents=True)
    (folder / "africa" / "Kenya.txt").write_text("A land.\n\nThe capital of Kenya is Nairobi.\n")
    (folder / "peru.txt").write_text("The capital of Peru is Lima.\n")
    (tmp_path / "asked.txt").write_text("What is the capital of Kenya?\n\nWhat is Peru?\n")
    options = {"model": reader, "corpus": folder, "questions": tmp_path / "asked.txt"}
    lines = answered(run, {}, tmp_path / "out", **options)
    best = lines[0]["answers"][0]
    assert (best["text"], best["document"]) == ("Nairobi", "africa/Kenya.txt")
    assert best["title"] == "Kenya"
    assert best["start"] == 9 + len("The capital of Kenya is ")
    assert [line["id"] for line in lines] == ["asked.txt:1", "asked.txt:3"]


def test_the_log_shows_each_answer_unless_told_not_to(
    run: Run, reader: Path, corpus: Path, tmp_path: Path
) -> None:
    asked, options = {"questions": [NORWAY]}, {"model": reader, "corpus": corpus}
    shown = run("question-answer", asked, outputs=tmp_path / "a", **options).output
    hidden = run("question-answer", {**asked, "stream": False}, outputs=tmp_path / "b", **options)
    assert f'| question:1 "{NORWAY}" → "Oslo" (facts/Norway, 0.' in shown
    assert "Oslo" not in hidden.output


def test_two_ranks_answer_as_one_does(run: Run, reader: Path, corpus: Path, tmp_path: Path) -> None:
    asked = {"questions": [f"What is the capital of {land}?" for land in CAPITALS]}
    answered(run, asked, tmp_path / "one", model=reader, corpus=corpus)
    options = {"model": reader, "corpus": corpus, "outputs": tmp_path / "two"}
    ended = run_process("question-answer", command_line(asked, options), ranks=2)
    assert ended.code == 0, ended.output
    written_by = [(tmp_path / name / "answers.jsonl").read_text() for name in ("one", "two")]
    assert written_by[0] == written_by[1]
    assert ended.progress[-1].percent == 100.0


@pytest.mark.parametrize(
    ("parameters", "documents", "reason", "words"),
    [
        ({"passageOverlap": 150}, CORPUS, "BadParameter", "less than passageWords (150)"),
        ({"blockLength": 65}, CORPUS, "BadParameter", "the model takes 64"),
        ({}, [{"title": "x"}], "MalformedDataset", "corpus.jsonl, line 1: is no document"),
        ({}, [{"text": " "}], "EmptyDataset", "holds no document"),
        ({"questions": []}, CORPUS, "MissingInput", "The input questions is missing"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run,
    reader: Path,
    tmp_path: Path,
    parameters: dict[str, Any],
    documents: Sequence[dict[str, Any]],
    reason: str,
    words: str,
) -> None:
    corpus = written(tmp_path / "corpus.jsonl", documents)
    asked = {"questions": [NORWAY], **parameters}
    ended = run("question-answer", asked, model=reader, corpus=corpus, outputs=tmp_path / "out")
    assert ended.failure.reason == reason
    assert words in ended.failure.message


def test_a_model_without_the_head_is_refused(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    asked = {"questions": [NORWAY]}
    ended = run("question-answer", asked, model=tiny_model, corpus=corpus, outputs=tmp_path / "out")
    assert ended.failure.reason == "BadModel"
    assert "no model for question-answering" in ended.failure.message


def test_damaged_weights_are_told(run: Run, reader: Path, corpus: Path, tmp_path: Path) -> None:
    options = {"model": spoiled(reader, tmp_path / "broken"), "corpus": corpus}
    ended = run("question-answer", {"questions": [NORWAY]}, outputs=tmp_path / "out", **options)
    assert (ended.code, ended.failure.reason) == (14, "BadModel")
