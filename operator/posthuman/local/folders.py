"""Where a job's container paths lie on this machine. Pure, but for the links of `with_volume`.

A pod sees its workspace volume at the mounts' paths; a process sees the whole machine, so every
path that a plan, a command or a variable names is rewritten. Nothing enforces a read-only mount.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from jobkit.plan import ExportPlan, LaunchPlan, Plan, StagePlan
from posthuman.errors import UserError
from posthuman.jobs.steps import Mount

VOLUME_PATH = "/data"
PRIVATE_PATH = "/etc/posthuman-private"  # StagePlan's default
ALGORITHMS_PATH = "/opt/posthuman/algorithms"  # in the algorithms image
PLAN_PATHS = (
    *("inputs_dir", "ddos_dir", "transformations_dir", "private_dir"),
    *("outputs_dir", "logs_dir", "staged_file", "log_file"),
)


class Folders(msgspec.Struct, frozen=True, kw_only=True):
    """Container path → folder on this machine."""

    mapped: Mapping[str, Path]

    def local(self, path: str) -> Path | None:
        """The deepest mapped folder's view of a container path; None for any other text."""
        for mount in sorted(self.mapped, key=len, reverse=True):
            if path == mount or path.startswith(mount.rstrip("/") + "/"):
                return self.mapped[mount] / PurePosixPath(path).relative_to(mount)
        return None

    def text(self, text: str) -> str:
        """A word of a command: rewritten if it is a mapped path."""
        found = self.local(text)
        return text if found is None else str(found)

    def variable(self, text: str) -> str:
        """A variable's value: a path, or JSON with paths as values."""
        if not text.startswith(("{", "[")):
            return self.text(text)
        return json.dumps(self._within(json.loads(text)))

    def _within(self, content: object) -> object:
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, list):
            return [self._within(value) for value in content]
        if isinstance(content, dict):
            return {name: self._within(value) for name, value in content.items()}
        return content

    def plan_path(self, path: str) -> str:
        """The same for a path that must lie in the workspace. Raises UserError."""
        found = self.local(path)
        if found is None:
            raise UserError(f"the plan names {path}, which none of the step's mounts holds")
        return str(found)


def folders_of(
    mounts: Sequence[Mount], workspace: Path, algorithms: Path, private: Path
) -> Folders:
    """What a step with these mounts sees; `private`: its own private files."""
    mapped = {mount.path: workspace / mount.folder for mount in mounts}
    return Folders(mapped={ALGORITHMS_PATH: algorithms, PRIVATE_PATH: private, **mapped})


def with_volume(folders: Folders, volume: Path) -> Folders:
    """One folder for all that lies below /data in a pod, made anew of links."""
    volume.mkdir(parents=True, exist_ok=True)
    for path, folder in folders.mapped.items():
        if path.startswith(f"{VOLUME_PATH}/"):
            link = volume / path.removeprefix(f"{VOLUME_PATH}/")
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
    return Folders(mapped={**folders.mapped, VOLUME_PATH: volume})


def relocate(
    plan: StagePlan | LaunchPlan | ExportPlan, folders: Folders
) -> StagePlan | LaunchPlan | ExportPlan:
    """The plan with this machine's paths in its path fields and its command. Raises UserError."""
    changes: dict[str, object] = {
        field: folders.plan_path(getattr(plan, field)) for field in PLAN_PATHS if _has(plan, field)
    }
    if isinstance(plan, LaunchPlan):
        changes["command"] = tuple(folders.text(word) for word in plan.command)
    return msgspec.structs.replace(plan, **changes)


def _has(plan: Plan, field: str) -> bool:
    return field in plan.__struct_fields__
