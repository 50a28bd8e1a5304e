"""A checkpoint's manifest: which run it is of, how far it is, and each file's digest.

It is written last; a folder without one that holds is no checkpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from algorithms.shared.failures import CheckpointMismatch

MANIFEST_FILE = "manifest.json"


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """What a run is, so that no checkpoint is taken for another run's. Digests are sha256."""

    model: str
    data: str
    parameters: Mapping[str, object]  # those that the result depends on
    engine: str
    portable: bool  # any number of ranks can go on from it
    world_size: int


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """`files`: name → sha256. `seal`: sha256 of the manifest without it, so that a damaged manifest
    is no valid one."""

    step: int
    identity: Identity
    files: Mapping[str, str]
    seal: str = ""

    def sealed(self) -> Manifest:
        """With its seal."""
        return msgspec.structs.replace(self, seal=self._digest())

    def holds(self) -> bool:
        """Whether it is as it was written."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        bare = msgspec.structs.replace(self, seal="")
        return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """None if the folder has none that holds."""
    file = folder / MANIFEST_FILE
    if not file.is_file():
        return None
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return manifest if manifest.holds() else None


def refuse_other_run(saved: Identity, own: Identity, folder: Path) -> None:
    """Raises CheckpointMismatch that names what differs."""
    differing = _differences(saved, own)
    if differing:
        raise CheckpointMismatch(
            f"The checkpoint {folder} is of another run: {', '.join(differing)}. Go on with what "
            f"it was made with, or remove {folder.parent} to start anew."
        )


def _differences(saved: Identity, own: Identity) -> list[str]:
    found = [f"the {part} differs" for part in ("model", "data") if _differ(saved, own, part)]
    for name in sorted({*saved.parameters, *own.parameters}):
        before, now = saved.parameters.get(name), own.parameters.get(name)
        if before != now:
            found.append(f"{name} was {before!r}, now {now!r}")
    if saved.engine != own.engine:
        found.append(f"the weights were held by {saved.engine}, now by {own.engine}")
    elif not saved.portable and saved.world_size != own.world_size:
        found.append(
            f"{saved.world_size} ranks shared its weights out, now there are {own.world_size}"
        )
    return found


def _differ(saved: Identity, own: Identity, part: str) -> bool:
    return bool(getattr(saved, part) != getattr(own, part))
