"""Plans over a temporary folder, with what most tests don't care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jobkit.plan import AlgorithmFacts, ExportPlan, StageInput, StagePlan, Store, UriPolicy

OWNER = "0x" + "ab" * 20


def folder_store(folder: Path) -> Store:
    return Store(url=f"file://{folder}/store")


def stage_plan(
    folder: Path,
    inputs: Sequence[StageInput],
    store: Store | None = None,
    policy: UriPolicy | None = None,
    **parameters: Any,
) -> StagePlan:
    """Loopback is allowed, so that tests can have servers."""
    loopback = UriPolicy(allowed_schemes=("http", "https"), allowed_private_cidrs=("127.0.0.0/8",))
    return StagePlan(
        store=store or folder_store(folder),
        inputs=tuple(inputs),
        uri_policy=policy or loopback,
        inputs_dir=f"{folder}/inputs",
        staged_file=f"{folder}/staged.json",
        parameters=parameters,
    )


def export_plan(
    folder: Path,
    outcome: Literal["Succeeded", "Failed", "Stopped"] = "Succeeded",
    store: Store | None = None,
    **fields: Any,
) -> ExportPlan:
    return ExportPlan(
        store=store or folder_store(folder),
        destination="jobs/u1",
        outcome=outcome,
        job={"name": "bob-trains"},
        algorithm=AlgorithmFacts(name="train", version="1"),
        outputs_dir=f"{folder}/outputs",
        logs_dir=f"{folder}/logs",
        staged_file=f"{folder}/staged.json",
        **fields,
    )


def write(path: Path, content: bytes | str) -> Path:
    """A file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
