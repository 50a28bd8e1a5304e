"""staged.json: what the stage step brought, for the export step and the operator to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jobkit.manifest import ModelFacts

MAX_DETAILS_BYTES = 3000  # of a report's 4096; the rest is for its message and the estimate


class StagedInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One input as it lies in the workspace. One of `sha256` (of several files: of their sha256s,
    one after the other) and `manifest_digest` is set."""

    name: str
    kind: str
    path: str
    files: int  # how many
    bytes: int
    sha256: str = ""
    manifest_digest: str = ""
    model: ModelFacts | None = None  # of an input of kind model


class StagedCode(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The algorithm, where it came as a file: "sha256:…" of it, known only now."""

    did: str = ""
    digest: str


class Staged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file's content."""

    inputs: tuple[StagedInput, ...] = ()
    algorithm: StagedCode | None = None


def write_staged(path: Path, staged: Staged) -> None:
    """Write it in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(msgspec.json.encode(staged))
    part.rename(path)


def read_staged(path: Path) -> Staged:
    """Empty when staging never ended: a job that failed before has no inputs to name."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Staged)
    except FileNotFoundError:
        return Staged()


def details_of(staged: Staged) -> dict[str, Any]:
    """Report details within their limit: everything, or each digest alone, or the sums."""
    full: dict[str, Any] = {"inputs": [], **msgspec.to_builtins(staged)}
    kept = ("name", "sha256", "manifestDigest")
    inputs = [{k: v for k, v in i.items() if k in kept} for i in full["inputs"]]
    short = full | {"inputs": inputs}
    sums = {"inputCount": len(staged.inputs), "bytes": sum(i.bytes for i in staged.inputs)}
    return next((d for d in (full, short) if _fits(d)), sums)


def _fits(details: dict[str, Any]) -> bool:
    return len(msgspec.json.encode(details)) <= MAX_DETAILS_BYTES
