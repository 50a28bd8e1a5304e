"""The labels that a data set has, read before the model is loaded: its head is made for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from algorithms.shared.data.base import Record
from algorithms.shared.data.records import place, read_records
from algorithms.shared.failures import MalformedDataset
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import MalformedRecord, ModelTask, TaskName
from algorithms.shared.tasks.labels import labels_of
from algorithms.shared.tasks.sequence_classification import SequenceClassification
from algorithms.shared.tasks.token_classification import TokenClassification

CLASSIFIERS: Mapping[TaskName, type[ModelTask]] = {
    "sequence-classification": SequenceClassification,
    "token-classification": TokenClassification,
}


def scan_labels(
    name: TaskName, path: Path, columns: Mapping[str, str], ranks: Ranks
) -> tuple[str, ...]:
    """On every rank, read by the first; () for a task without labels. Raises MalformedDataset,
    EmptyDataset, BadParameter."""
    kind = CLASSIFIERS.get(name)
    if kind is None:
        return ()
    found = _labels(name, kind, path, columns) if ranks.is_first else ()
    return tuple(ranks.gather(found))


def _labels(
    name: TaskName, kind: type[ModelTask], path: Path, columns: Mapping[str, str]
) -> tuple[str, ...]:
    reading = _Reading(read_records(path, kind.columns, kind.optional, columns))
    try:
        return labels_of(name, reading)
    except MalformedRecord as error:
        raise MalformedDataset(f"{place(reading.at)}: {error}") from error


class _Reading:
    """Records' fields, and where in the data set it is."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self.at = ""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for record in self._records:
            self.at = record.id
            yield record.fields
