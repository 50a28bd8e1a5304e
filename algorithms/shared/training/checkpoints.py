"""Checkpoints that survive a kill at any moment: written aside, synced, renamed; found by content.

    checkpoints/step-40/manifest.json   written last: step, identity, sha256 of every other file
                        state.json      records so far
                        …               the engine's own: safetensors and JSON, no pickle

A folder counts only if its manifest holds and every digest is right; a damaged one is passed over.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import msgspec

from algorithms.shared.ranks import Ranks
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.manifest import (
    MANIFEST_FILE,
    Identity,
    Manifest,
    read_manifest,
    refuse_other_run,
)
from algorithms.shared.training.records import TrainingState

KEPT = 2  # the last, and one before it in case the last gets damaged
STATE_FILE = "state.json"
UNFINISHED = ".unfinished"


class Checkpoints:
    """Those of one run. All ranks see the folder, and call every method together."""

    def __init__(self, folder: Path, identity: Identity, ranks: Ranks) -> None:
        self._folder, self._identity, self._ranks = folder, identity, ranks

    def save(self, engine: Engine, state: TrainingState) -> None:
        """Whole or not at all."""
        unfinished = self._folder / UNFINISHED
        if self._ranks.is_first:
            _remove(unfinished)
            unfinished.mkdir(parents=True)
        self._ranks.wait()
        engine.save_state(unfinished)
        if self._ranks.is_first:
            (unfinished / STATE_FILE).write_bytes(msgspec.json.encode(state))
        self._ranks.wait()
        digests = self._digests(unfinished)
        if self._ranks.is_first:
            self._finish(unfinished, Manifest(state.step, self._identity, digests).sealed())
        self._ranks.wait()

    def _digests(self, folder: Path) -> dict[str, str]:
        """Of every file but the manifest, synced to disk; each rank reads its share."""
        names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST_FILE)
        mine = self._ranks.share(names)
        found = self._ranks.gather([_synced_digest(folder / name) for name in mine])
        return dict(zip(names, found, strict=True))

    def _finish(self, unfinished: Path, manifest: Manifest) -> None:
        (unfinished / MANIFEST_FILE).write_bytes(msgspec.json.encode(manifest))
        _sync(unfinished / MANIFEST_FILE)
        _sync(unfinished)
        place = self._folder / f"step-{manifest.step}"
        _remove(place)
        unfinished.rename(place)
        _sync(self._folder)
        for older in self._newest_first()[KEPT:]:
            _remove(self._folder / older)

    def restore(self, engine: Engine) -> TrainingState | None:
        """From the last good one, None if there is none. Raises CheckpointMismatch if that is of
        another run."""
        for name in self._ranks.gather(self._newest_first() if self._ranks.is_first else []):
            folder = self._folder / name
            if manifest := self._whole(folder):
                refuse_other_run(manifest.identity, self._identity, folder)
                engine.load_state(folder)
                state = (folder / STATE_FILE).read_bytes()
                return msgspec.json.decode(state, type=TrainingState)
            self._pass_over(folder)
        return None

    def remove(self) -> None:
        """The run is over: nothing is left to go on from."""
        if self._ranks.is_first:
            _remove(self._folder)

    def _newest_first(self) -> list[str]:
        """Names of folders, by the steps that their manifests say; those without one come last."""
        folders = [folder for folder in self._folder.glob("*") if folder.name != UNFINISHED]
        steps = {folder.name: _step_of(read_manifest(folder)) for folder in folders}
        return sorted(steps, key=lambda name: (-steps[name], name))

    def _whole(self, folder: Path) -> Manifest | None:
        """Its manifest, if every file is as it was written; each rank reads its share."""
        manifest = read_manifest(folder)
        mine = self._ranks.share(sorted(manifest.files.items())) if manifest else []
        right = [_is_right(folder / name, digest) for name, digest in mine]
        whole = all(self._ranks.gather([manifest is not None, *right]))
        return manifest if whole else None

    def _pass_over(self, folder: Path) -> None:
        if self._ranks.is_first:
            print(f"The checkpoint {folder.name} is damaged: it is passed over.", flush=True)
            _remove(folder)


def _remove(folder: Path) -> None:
    """If it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def _step_of(manifest: Manifest | None) -> int:
    return manifest.step if manifest else -1


def _is_right(file: Path, digest: str) -> bool:
    return file.is_file() and _digest(file) == digest


def _synced_digest(file: Path) -> str:
    _sync(file)
    return _digest(file)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """A file's content, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
