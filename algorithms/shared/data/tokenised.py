"""A tokenised data set in scratch: a folder named by its fingerprint, its facts written last."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from algorithms.shared.data.base import ExampleStore, Record
from algorithms.shared.data.stores import BlockStore, RowStore
from algorithms.shared.tasks.base import ModelTask, PackableTask

FACTS, HELD_OUT = "facts.json", "held_out.jsonl"
UNFINISHED = ".unfinished"  # the suffix of a folder that is being written


class Facts(msgspec.Struct, frozen=True):
    """`sizes`: of each file, in bytes, so that one cut short by a full disk is found out."""

    kind: Literal["blocks", "rows"]
    dtype: str
    samples: int
    tokens: int
    sizes: dict[str, int]


@dataclass(frozen=True)
class Tokenised:
    """One that is complete."""

    folder: Path
    facts: Facts

    @property
    def name(self) -> str:
        """The fingerprint."""
        return self.folder.name

    def examples(self, task: ModelTask, length: int) -> ExampleStore:
        """To train on."""
        if self.facts.kind == "blocks" and isinstance(task, PackableTask):
            return BlockStore(self.folder, self.facts.dtype, task, length)
        return RowStore(self.folder)

    def held_out(self) -> list[Record]:
        """In the order of the data set."""
        with (self.folder / HELD_OUT).open("rb") as lines:
            return [msgspec.json.decode(line, type=Record) for line in lines]


def open_tokenised(root: Path, name: str) -> Tokenised | None:
    """None if it isn't there, or not as it was written."""
    folder = root / name
    if not (folder / FACTS).is_file():
        return None
    facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
    whole = file_sizes(folder) == facts.sizes
    return Tokenised(folder, facts) if whole else None


def publish(unfinished: Path, name: str, facts: Facts) -> None:
    """Give a folder whose files are written its facts and its final name, in one step each."""
    (unfinished / FACTS).write_bytes(msgspec.json.encode(facts))
    for file in unfinished.iterdir():
        _to_disk(file)
    final = unfinished.with_name(name)
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    _to_disk(final.parent)


def discard_unfinished(root: Path) -> None:
    """What a killed attempt left: nobody else writes here."""
    for folder in root.glob(f"*{UNFINISHED}"):
        shutil.rmtree(folder)


def file_sizes(folder: Path) -> dict[str, int]:
    """In bytes, of all files but the facts."""
    return {file.name: file.stat().st_size for file in folder.iterdir() if file.name != FACTS}


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
