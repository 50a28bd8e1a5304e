"""Prompts and the like: a small data set of one text a sample, read whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.shared.data.files import data_files
from algorithms.shared.data.readers import rows_of
from algorithms.shared.data.records import place
from algorithms.shared.failures import EmptyDataset, MalformedDataset


@dataclass(frozen=True)
class Sample:
    """One text; `id` is "<file>:<line>", with lines counted from 1."""

    id: str
    text: str


def read_samples(path: Path, keys: Sequence[str] = ("text",)) -> list[Sample]:
    """Every text that isn't blank, of one file or of all a folder's files in the order of names.

    `keys`: of a record, the first one that it has is its text. Raises MalformedDataset with file
    and line, EmptyDataset if nothing is left.
    """
    found = [
        Sample(f"{name}:{number}", _text_of(place(f"{name}:{number}"), row, keys))
        for name, file in data_files(path)
        for number, row in rows_of(name, file, keys)
    ]
    samples = [sample for sample in found if sample.text.strip()]
    if not samples:
        raise EmptyDataset(f"{path.name} holds no text: every sample is blank, or there is none.")
    return samples


def _text_of(place: str, row: Mapping[str, Any], keys: Sequence[str]) -> str:
    """A .txt's paragraph is a text whatever the keys."""
    text = next((row[key] for key in (*keys, "text") if key in row), None)
    if not isinstance(text, str):
        wanted = " or ".join(f'{{"{key}": "…"}}' for key in keys)
        raise MalformedDataset(f"{place}: has no text; each sample must be {wanted}.")
    return text
