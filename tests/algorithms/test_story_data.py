"""The story's text and plot: three parts without overlap, the same everywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from examples.story_data.plot import Row, plot_losses, read_curve, smooth
from examples.story_data.text import PARTS, bible_database, read_chapters, write_text

DIGESTS = {
    "bob": "effc9a1955b6d2e3160b6e542e085b356be6ac7709312f19664148018a8a22c8",
    "charlie": "c928ae76411508a9fc0a0a3edb990ce925020ecec109880e8a930f9b41009000",
    "heldout": "66691fe19f25b139c40daa7d4a44cc5aed351becef82699c7eb9d12f5fab6754",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_text(tmp_path_factory.mktemp("text"))


def records(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def test_the_text_is_the_same_on_every_machine(files: dict[str, Path]) -> None:
    assert {
        part: hashlib.sha256(file.read_bytes()).hexdigest() for part, file in files.items()
    } == DIGESTS


def test_no_passage_is_in_two_parts(files: dict[str, Path]) -> None:
    texts = {part: {record["text"] for record in records(files[part])} for part in PARTS}
    sources = {part: {record["source"] for record in records(files[part])} for part in PARTS}
    for one, other in (("bob", "charlie"), ("bob", "heldout"), ("charlie", "heldout")):
        assert not texts[one] & texts[other]
        assert not sources[one] & sources[other]


def test_the_parts_are_the_whole_text(files: dict[str, Path]) -> None:
    chapters = read_chapters(bible_database())
    whole = sum(len(" ".join(verses).split()) for verses in chapters.values())
    dealt = [record["text"] for part in PARTS for record in records(files[part])]
    assert sum(len(text.split()) for text in dealt) == whole
    assert len(records(files["heldout"])) >= 100
    assert records(files["bob"])[0]["text"].startswith(
        "This is the book of the generations of Adam. "
    )


def test_a_plot_is_a_png_with_or_without_curves(tmp_path: Path) -> None:
    rows = [Row("Alice", 3.4), Row("Bob", 3.2, (4.0, 3.5, 3.6))]
    plot_losses(tmp_path / "with.png", rows)
    plot_losses(tmp_path / "without.png", rows[:1])
    for name in ("with.png", "without.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_curve_is_read_from_what_train_writes(tmp_path: Path) -> None:
    (tmp_path / "loss.csv").write_text("step,loss,learningRate,tokens\n1,4.0,0.1,8\n2,3.0,0.1,8\n")
    assert read_curve(tmp_path / "loss.csv") == (4.0, 3.0)
    assert smooth((4.0, 3.0)) == pytest.approx([4.0, 3.8])
