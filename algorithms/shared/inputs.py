"""What an algorithm is given: named input folders (or files), an outputs folder, parameters.

Inside a job they come from the environment: `POSTHUMAN_INPUTS` ({"name": "/folder", …} as JSON),
`INPUTS` (its algoCustomData.json holds the parameters), `OUTPUTS` and `SCRATCH`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from algorithms.shared.failures import MissingInput
from algorithms.shared.parameters import P


@dataclass(frozen=True)
class Task(Generic[P]):
    """One run of an algorithm."""

    algorithm: Mapping[str, object]  # name, version, inputs: the folder's algorithm.json
    inputs: Mapping[str, Path]
    outputs: Path
    scratch: Path  # outlives the attempt, not the job: checkpoints, tokens; every node sees it
    parameters: P

    def model(self) -> Path:
        """The folder of the input named `model`. Raises MissingInput."""
        folder = self.file_input("model")
        if not is_model(folder):
            raise MissingInput(f"The input model ({folder}) has no config.json at its top.")
        return folder

    def models(self) -> dict[str, Path]:
        """Every input that holds a model, by its name. Raises MissingInput if there is none."""
        found = {name: path for name, path in self.inputs.items() if is_model(path)}
        if not found:
            raise MissingInput("No input holds a model: give at least one with a config.json.")
        return found

    def file_input(self, name: str) -> Path:
        """The folder or file of an input. Raises MissingInput."""
        path = self.inputs.get(name)
        if path is None:
            given = ", ".join(self.inputs) or "none"
            instead = (
                f" Give it, or the parameter {name}." if hasattr(self.parameters, name) else ""
            )
            raise MissingInput(f"The input {name} is missing (inputs given: {given}).{instead}")
        if not path.exists():
            raise MissingInput(f"The input {name} points to {path}, which does not exist.")
        return path


def is_model(folder: Path) -> bool:
    """A folder with a config.json at its top."""
    return (folder / "config.json").is_file()
