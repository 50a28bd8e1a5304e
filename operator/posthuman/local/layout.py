"""Where one job's files lie below the working folder. Pure."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from posthuman.api.meta import Key


class JobLayout(msgspec.Struct, frozen=True, kw_only=True):
    """`workspace` plays the volume and goes with the job's anchor; the rest stays to be read."""

    root: Path

    @property
    def workspace(self) -> Path:
        """What all steps of the job share."""
        return self.root / "workspace"

    @property
    def private(self) -> Path:
        """What one step alone is given; only a promise here, as one user runs all of them."""
        return self.root / "private"

    @property
    def volume(self) -> Path:
        """What code of one's own finds as `$VOLUME`: links to the folders that it may see."""
        return self.root / "volume"

    @property
    def home(self) -> Path:
        """The processes' HOME: never the user's own."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """The processes' TMPDIR."""
        return self.root / "tmp"

    def of_node(self, step: str, index: int, what: str) -> Path:
        """`what`: plan.json, report.json or log."""
        return self.root / "steps" / f"{step}-{index}.{what}"

    def make(self) -> None:
        """Make the folders; what is there stays."""
        for folder in (self.workspace, self.home, self.temporary, self.root / "steps"):
            folder.mkdir(parents=True, exist_ok=True)


def layout_of(workdir: Path, job: Key) -> JobLayout:
    """Of one job, by namespace and name, so that a person finds it."""
    return JobLayout(root=workdir / "jobs" / job.namespace / job.name)


def write_private(folder: Path, content: Mapping[str, bytes]) -> None:
    """The folder with these files and no others, for this user's eyes alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for name, value in content.items():
        (folder / name).write_bytes(value)
