"""Text data sets: what is read, and which line is to blame when it can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from algorithms.shared.failures import EmptyDataset, MalformedDataset
from algorithms.shared.text import Sample, read_samples


def test_jsonl_lines_are_samples_named_by_their_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n\n{"text": ""}\n{"text": "two", "more": 1}\n')
    assert read_samples(file) == [Sample("a.jsonl:1", "one"), Sample("a.jsonl:4", "two")]


def test_txt_paragraphs_are_samples(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffone\nmore\r\n\n \nzwei \u00fc\n".encode())
    assert read_samples(file) == [Sample("a.txt:1", "one\nmore"), Sample("a.txt:5", "zwei ü")]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.jsonl").write_text('{"text": "first"}')
    (tmp_path / "README.md").write_text("not a sample")
    assert [sample.text for sample in read_samples(tmp_path)] == ["first", "second"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"text": "ok"}\n{"text": "cut\n', ["text.jsonl, line 2", "not JSON"]),
        (b'{"text": "ok"}\n\n{"txt": "x"}\n', ["text.jsonl, line 3", '{"text": "\u2026"}']),
        (b'{"text": 5}\n', ["line 1", "no text"]),
        (b'["text"]\n', ["line 1", "no text"]),
        (b'{"text": "ok"}\n{"text": "\xff"}\n', ["line 2", "UTF-8"]),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, raw: bytes, words: list[str]) -> None:
    file = tmp_path / "text.jsonl"
    file.write_bytes(raw)
    with pytest.raises(MalformedDataset) as caught:
        read_samples(file)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_no_text_at_all_is_an_empty_dataset(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_text("x")
    with pytest.raises(EmptyDataset, match=r"no \.jsonl or \.txt file \(there: weights\.bin\)"):
        read_samples(tmp_path)
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(EmptyDataset, match="every sample is blank"):
        read_samples(tmp_path)
