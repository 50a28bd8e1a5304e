"""What is read from each format, and which place is to blame when it can't be."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from algorithms.shared.data import lines, readers
from algorithms.shared.data.base import Record
from algorithms.shared.data.records import read_records
from algorithms.shared.failures import BadParameter, EmptyDataset, MalformedDataset

LABELLED = ("text", "label")


def read(
    path: Path, required: Sequence[str] = ("text",), columns: Mapping[str, str] | None = None
) -> list[Record]:
    return list(read_records(path, required, (), columns))


def write_parquet(file: Path, columns: Mapping[str, Sequence[Any]], **options: Any) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), file, **options)
    return file


def test_a_folder_is_read_in_the_order_of_names_whatever_the_formats(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_bytes("\ufeffone\nmore\r\n\n \ntwo\n".encode())
    (tmp_path / "b.jsonl").write_text('{"text": "three", "more": 1}\n\n{"text": "four"}')
    (tmp_path / "c.CSV").write_text('label,text\nx,"five, and\n5"\n\ny,six\n')
    write_parquet(tmp_path / "deep" / "d.parquet", {"text": ["seven", "eight"]})
    assert [(record.id, record.fields) for record in read(tmp_path)] == [
        ("a.txt:1", {"text": "one\nmore"}),
        ("a.txt:5", {"text": "two"}),
        ("b.jsonl:1", {"text": "three"}),
        ("b.jsonl:3", {"text": "four"}),
        ("c.CSV:2", {"text": "five, and\n5"}),
        ("c.CSV:5", {"text": "six"}),
        ("deep/d.parquet:1", {"text": "seven"}),
        ("deep/d.parquet:2", {"text": "eight"}),
    ]


def test_columns_go_by_the_tasks_names(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("sentence,class\ngood,1\n")
    columns = {"text": "sentence", "label": "class"}
    assert read(file, LABELLED, columns)[0].fields == {"text": "good", "label": "1"}
    with pytest.raises(MalformedDataset) as caught:
        read(file, LABELLED)
    for words in ("a.csv, line 2", "no column text", "there: sentence, class", '{"text": "…"}'):
        assert words in str(caught.value)
    with pytest.raises(BadParameter, match="has no column txet; it has text"):
        read(file, columns={"txet": "sentence"})


def test_parquet_keeps_lists_and_reads_nothing_else(tmp_path: Path) -> None:
    words: dict[str, list[Any]] = {
        "tokens": [["a", "b"], ["c"]],
        "tags": [[0, 1], [2]],
        "image": [b"\0", b"\1"],
    }
    file = write_parquet(tmp_path / "a.parquet", words, row_group_size=1)
    found = read(file, ("tokens", "labels"), {"labels": "tags"})
    assert [record.fields for record in found] == [
        {"tokens": ["a", "b"], "labels": [0, 1]},
        {"tokens": ["c"], "labels": [2]},
    ]


def test_blank_samples_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": " "}\n{"text": null}\n{"text": "one"}\n')
    write_parquet(tmp_path / "b.parquet", {"text": [None, "two"]})
    assert [record.id for record in read(tmp_path)] == ["a.jsonl:3", "b.parquet:2"]


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("a.jsonl", b'{"text": "ok"}\n{"text": "cut\n', ["a.jsonl, line 2", "not JSON"]),
        ("a.jsonl", b'{"text": "ok"}\n\n{"txt": "x"}\n', ["line 3", "no column text", "{"]),
        ("a.jsonl", b'["text"]\n', ["line 1", "no JSON object"]),
        ("a.jsonl", b"[" * 100_000, ["line 1", "nested more than 100"]),
        ("a.jsonl", b'{"text": "\\ud800"}', ["line 1", "not JSON"]),
        ("a.jsonl", b'{"text": "ok"}\n{"text": "\xff"}\n', ["line 2", "not UTF-8 (byte 11)"]),
        ("a.txt", b"ok\nnot\0ok\n", ["a.txt, line 2", "NUL"]),
        ("a.csv", b"text,label\na,1\nb,2,3\n", ["a.csv, line 3", "3 fields, the header 2"]),
        ("a.csv", b'text,label\na,1\n"b\nc,2', ["a.csv, line 3", "not CSV"]),
        ("a.csv", b'text\n"a"b"\n', ["a.csv, line 2", "not CSV"]),
        ("a.csv", b"text,text\na,1\n", ["line 1", "text, text", "must differ"]),
        ("a.parquet", b"PAR1 not really", ["a.parquet, from row 1 on", "not Parquet"]),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, name: str, raw: bytes, words: Any) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(MalformedDataset) as caught:
        read(tmp_path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_brackets_in_a_text_are_no_nesting(tmp_path: Path) -> None:
    text = '[{ \\" ' * 1000
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text, "spans": [[0, 1]] * 1000}))
    assert [record.fields["text"] for record in read(tmp_path)] == [text]


def test_a_damaged_page_is_named_by_its_first_row(tmp_path: Path) -> None:
    texts = [f"a text of some length, number {number}" for number in range(500)]
    plain = {"row_group_size": 100, "use_dictionary": False, "compression": "none"}
    file = write_parquet(tmp_path / "a.parquet", {"text": texts}, **plain)
    raw = bytearray(file.read_bytes())
    place = raw.index(b"number 250")
    raw[place - 300 : place] = b"\xff" * 300
    file.write_bytes(raw)
    with pytest.raises(MalformedDataset, match=r"a\.parquet, from row 193 on: .*damaged"):
        read(file)


def test_a_line_without_end_is_refused_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"text": "ok"}\n' + b"x" * 200)
    with pytest.raises(MalformedDataset, match="line 2: is longer than 100 bytes"):
        list(lines.numbered_lines("a.jsonl", file, longest=100))


def test_a_value_without_end_is_refused_in_parquet_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LONGEST_LINE", 100)
    file = write_parquet(tmp_path / "a.parquet", {"text": ["ok", "x" * 101]})
    with pytest.raises(MalformedDataset, match="row 2: text is longer than 100 bytes"):
        read(file)


def test_a_text_without_blank_lines_is_cut_at_the_end_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LONGEST_PARAGRAPH", 10)
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\nfour\na very long line\nend\n")
    assert [(record.id, record.fields["text"]) for record in read(tmp_path)] == [
        ("a.txt:1", "one\ntwo"),
        ("a.txt:3", "three"),
        ("a.txt:4", "four"),
        ("a.txt:5", "a very long line"),
        ("a.txt:6", "end"),
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'\n{"text": "one"}\n{"text": "two"}\n', ["one", "two"]),
        (b'text,label\n"one, or",1\ntwo,2\n', ["one, or", "two"]),
        (b"one, or two\nthree\n\nfour, five\n", ["one, or two\nthree", "four, five"]),
        (b"one line", ["one line"]),
    ],
)
def test_a_file_without_suffix_is_known_by_its_content(
    tmp_path: Path, raw: bytes, expected: list[str]
) -> None:
    (tmp_path / "0").write_bytes(raw)
    assert [record.fields["text"] for record in read(tmp_path)] == expected
    (tmp_path / "a.txt").write_text("a file whose suffix says what it is comes alone")
    assert [record.id for record in read(tmp_path)] == ["a.txt:1"]


def test_a_licence_beside_what_cannot_be_read_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("You may.")
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(EmptyDataset, match=r"there: LICENSE, data\.zip"):
        read(tmp_path)


def test_parquet_without_suffix_is_known_too(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0", {"text": ["one"]})
    assert [record.fields["text"] for record in read(tmp_path)] == ["one"]


def test_links_pipes_and_hidden_files_are_no_part_of_a_data_set(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.txt")
    (folder / ".hidden.txt").write_text("hidden")
    (folder / "weights.bin").write_text("x")
    with pytest.raises(EmptyDataset, match=r"\.csv or \.parquet file \(there: weights\.bin\)"):
        read(folder)
    (folder / "a.txt").write_text("open")
    assert [record.fields["text"] for record in read(folder)] == ["open"]


def test_no_text_at_all_is_an_empty_data_set(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text("\n \n")
    (tmp_path / "blank.csv").write_text("")
    with pytest.raises(EmptyDataset, match="every sample is blank"):
        read(tmp_path)
