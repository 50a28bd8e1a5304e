"""Text data sets: .jsonl ({"text": …} a line) and .txt (paragraphs, a blank line between them)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from algorithms.shared.failures import EmptyDataset, MalformedDataset

SUFFIXES = (".jsonl", ".txt")


@dataclass(frozen=True)
class Sample:
    """One text; `id` is "<file>:<line>", with lines counted from 1."""

    id: str
    text: str


def read_samples(path: Path, keys: Sequence[str] = ("text",)) -> list[Sample]:
    """Every text that isn't blank, of one file or of all a folder's files in the order of names.

    `keys`: of a .jsonl record, the first one that it has is its text. Raises MalformedDataset with
    file and line, EmptyDataset if nothing is left.
    """
    found = [sample for file in text_files(path) for sample in _read_file(file, keys)]
    samples = [sample for sample in found if sample.text.strip()]
    if not samples:
        raise EmptyDataset(f"{path.name} holds no text: every sample is blank, or there is none.")
    return samples


def text_files(path: Path) -> list[Path]:
    """The .jsonl and .txt files. Raises EmptyDataset if there is none."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    texts = [file for file in files if file.suffix in SUFFIXES]
    if not texts:
        seen = ", ".join(file.name for file in files[:5]) or "no files"
        raise EmptyDataset(f"{path.name} holds no .jsonl or .txt file (there: {seen}).")
    return texts


def _read_file(file: Path, keys: Sequence[str]) -> Iterator[Sample]:
    lines = _lines(file)
    return _records(file, lines, keys) if file.suffix == ".jsonl" else _paragraphs(file, lines)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered from 1, without their ends."""
    with file.open("rb") as raw_lines:
        for number, raw in enumerate(raw_lines, start=1):
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise MalformedDataset(f"{file.name}, line {number}: is not UTF-8.") from error


def _records(file: Path, lines: Iterator[tuple[int, str]], keys: Sequence[str]) -> Iterator[Sample]:
    for number, line in lines:
        if line.strip():
            yield Sample(
                f"{file.name}:{number}", _text_of(f"{file.name}, line {number}", line, keys)
            )


def _text_of(place: str, line: str, keys: Sequence[str]) -> str:
    wanted = " or ".join(f'{{"{key}": "…"}}' for key in keys)
    try:
        record = json.loads(line)
    except ValueError as error:
        raise MalformedDataset(f"{place}: is not JSON ({error}); write {wanted}.") from error
    text = (
        next((record[key] for key in keys if key in record), None)
        if isinstance(record, dict)
        else None
    )
    if not isinstance(text, str):
        raise MalformedDataset(f"{place}: has no text; each line must be {wanted}.")
    return text


def _paragraphs(file: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Sample]:
    first = 1
    paragraph: list[str] = []
    for number, line in lines:
        if line.strip():
            first = first if paragraph else number
            paragraph.append(line)
        elif paragraph:
            yield Sample(f"{file.name}:{first}", "\n".join(paragraph))
            paragraph = []
    if paragraph:
        yield Sample(f"{file.name}:{first}", "\n".join(paragraph))
