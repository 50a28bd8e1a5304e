"""Which files of a folder are its data set: regular files by their suffix, in the order of names.

A link could point anywhere in the container, a device or a pipe never ends: neither is followed.
An archive would have to be unpacked first, by code that a stranger's bytes steer: none is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from algorithms.shared.data.formats import SUFFIXES
from algorithms.shared.failures import EmptyDataset

MOST_NAMED = 5  # files that a message lists


def data_files(path: Path) -> list[tuple[str, Path]]:
    """Each file with its name in samples' ids, relative to the folder. Raises EmptyDataset.

    Files without a suffix count where no file has one. `path` itself may be a link: whoever
    started the algorithm chose it.
    """
    present = [(path.name, path)] if path.is_file() else sorted(_regular_files(path))
    found = [(name, file) for name, file in present if file.suffix.lower() in SUFFIXES]
    if present and not any(file.suffix for _, file in present):
        return present
    if not found:
        seen = ", ".join(name for name, _ in present[:MOST_NAMED]) or "no files"
        wanted = ", ".join(SUFFIXES[:-1]) + " or " + SUFFIXES[-1]
        raise EmptyDataset(f"{path.name} holds no {wanted} file (there: {seen}).")
    return found


def _regular_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Hidden ones (.DS_Store, .git/) are left out."""
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(parent, name)
            if not name.startswith(".") and not file.is_symlink() and file.is_file():
                yield file.relative_to(folder).as_posix(), file
