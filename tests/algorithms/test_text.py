"""Prompts: a text a sample, by the first of several names that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from algorithms.shared.failures import EmptyDataset, MalformedDataset
from algorithms.shared.text import Sample, read_samples


def test_samples_are_named_by_their_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n\n{"text": ""}\n{"text": "two", "more": 1}\n')
    assert read_samples(file) == [Sample("a.jsonl:1", "one"), Sample("a.jsonl:4", "two")]


def test_the_first_key_that_a_record_has_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "no", "prompt": "two"}\n')
    (tmp_path / "b.txt").write_text("three\n")
    (tmp_path / "c.csv").write_text("prompt\nfour\n")
    texts = [sample.text for sample in read_samples(tmp_path, keys=("prompt", "text"))]
    assert texts == ["one", "two", "three", "four"]


@pytest.mark.parametrize("line", ['{"txt": "x"}', '{"text": 5}'])
def test_a_sample_without_text_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "ok"}\n' + line)
    with pytest.raises(MalformedDataset) as caught:
        read_samples(tmp_path)
    for words in ("a.jsonl, line 2", "has no text", '{"text": "…"}'):
        assert words in str(caught.value)


def test_no_text_at_all_is_an_empty_dataset(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(EmptyDataset, match="every sample is blank"):
        read_samples(tmp_path)
