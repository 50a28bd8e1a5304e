"""A data set made ready to train on: tokenised once, to disk, and found again after a restart.

The first rank tokenises, record by record, into a folder of scratch that gets its final name once
it is complete. The others wait for it; every rank then reads the same files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from algorithms.shared.data.base import DataSpec, Prepared
from algorithms.shared.data.fingerprint import fingerprint
from algorithms.shared.data.tokenised import Tokenised, discard_unfinished, open_tokenised
from algorithms.shared.data.tokenising import tokenise
from algorithms.shared.first_rank import Heart, waited_for
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import ModelTask

FOLDER = "data"  # in scratch


def prepare(path: Path, task: ModelTask, spec: DataSpec, scratch: Path, ranks: Ranks) -> Prepared:
    """Called by all ranks together. Raises EmptyDataset, MalformedDataset, BadParameter."""
    root = scratch / FOLDER
    if ranks.is_first:
        heart = Heart(ranks)
        name = _made(path, task, spec, root, heart.beat)
        heart.stop(name)
    else:
        name = waited_for(ranks)
    found = open_tokenised(root, name)
    if found is None:
        raise FileNotFoundError(f"The tokenised data set {root / name} is not seen by this rank.")
    return _prepared(found, task, spec)


def _made(
    path: Path, task: ModelTask, spec: DataSpec, root: Path, keep_waiting: Callable[[], None]
) -> str:
    """The fingerprint, by which the folder is named."""
    root.mkdir(parents=True, exist_ok=True)
    discard_unfinished(root)
    name = fingerprint(path, task, spec, keep_waiting)
    if open_tokenised(root, name) is None:
        tokenise(path, task, spec, root, name, keep_waiting)
    return name


def _prepared(found: Tokenised, task: ModelTask, spec: DataSpec) -> Prepared:
    return Prepared(
        training=found.examples(task, spec.length),
        held_out=found.held_out(),
        samples=found.facts.samples,
        fingerprint=found.name,
    )
