"""What the data side offers to training and evaluation: the contract between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # that module needs torch; the parameters that name a Packing don't
    from algorithms.shared.tasks.base import Example

Packing = Literal["auto", "pack", "pad"]


@dataclass(frozen=True)
class Record:
    """One sample; `id` is "<file>:<line>", lines counted from 1 (rows, where there are no lines).
    `fields` have the task's own column names, whatever the file calls them."""

    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class DataSpec:
    """How a data set becomes examples. `seed` chooses what is held out, a tenth at most. `columns`:
    the task's name of a column → the file's."""

    length: int  # tokens an example
    packing: Packing = "auto"
    held_out_samples: int = 0
    seed: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)


class ExampleStore(ABC):
    """Examples on disk: reading one costs one example's memory."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Example: ...


@dataclass(frozen=True)
class Prepared:
    """A data set ready to train on. `samples`: records that are trained on."""

    training: ExampleStore
    held_out: Sequence[Record]
    samples: int
    fingerprint: str  # sha256 of content, tokenizer and spec: a checkpoint names its data by it
