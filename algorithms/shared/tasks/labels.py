"""A classifier's label set: the model's own if the data fits it, else the data's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from algorithms.shared.tasks.base import MalformedRecord, TaskName
from algorithms.shared.tasks.inputs import list_of


def labels_of(task: TaskName, records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every label in the records' fields, sorted (numbers by value); () for a task without labels.

    Raises MalformedRecord.
    """
    if task not in ("sequence-classification", "token-classification"):
        return ()
    found = {name for fields in records for name in _names(task, fields)}
    if all(name.isdecimal() for name in found):
        return tuple(str(number) for number in range(max(map(int, found), default=-1) + 1))
    return tuple(sorted(found))


def fits(own: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether every label of the data is one of the model's, by name or by number."""
    return all(label_index(own, name) is not None for name in wanted)


def label_index(labels: Sequence[str], value: object) -> int | None:
    """None if it is neither a label's name nor a label's number."""
    name = label_name(value)
    if name in labels:
        return labels.index(name)
    return int(name) if name.isdecimal() and int(name) < len(labels) else None


def label_name(value: object) -> str:
    """Of a string or a whole number. Raises MalformedRecord."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    raise MalformedRecord(f"a label is {value!r}: it must be a string or a number from 0.")


def known_index(labels: Sequence[str], value: object) -> int:
    """Raises MalformedRecord, with the labels that there are."""
    index = label_index(labels, value)
    if index is None:
        known = ", ".join(labels[:10]) + ("…" if len(labels) > 10 else "")
        raise MalformedRecord(f"the label {value!r} is none of the model's: {known}.")
    return index


def _names(task: TaskName, fields: Mapping[str, Any]) -> list[str]:
    if task == "sequence-classification":
        return [label_name(fields.get("label"))]
    return [label_name(value) for value in list_of(fields, "labels")]
