"""The installed built-in algorithms: name, version, folder digest, inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

FACTS_FILE = "algorithm.json"
PARAMETERS_FILE = "parameters.schema.json"
SHARED_FOLDER = "shared"  # what the built-ins share is part of each one's code
SKIPPED = frozenset({"__pycache__", ".pytest_cache"})


class BuiltinFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One built-in. `folder`: where its code lies, below the algorithms' folder; `inputs`: the
    names it needs; `parameters`: their JSON Schema, empty if it has none."""

    name: str
    version: str
    digest: str
    folder: str
    inputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = {}


Catalogue = Mapping[str, BuiltinFacts]


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """algorithm.json, as far as the operator reads it."""

    name: str
    version: str
    inputs: dict[str, dict[str, object]] = {}


def read_catalogue(folder: Path) -> Catalogue:
    """Every folder below `folder` that has an algorithm.json."""
    found = (read_builtin(facts.parent) for facts in sorted(folder.glob(f"*/{FACTS_FILE}")))
    return {builtin.name: builtin for builtin in found}


def read_builtin(folder: Path) -> BuiltinFacts:
    """One algorithm's facts. Raises msgspec.ValidationError for a broken algorithm.json."""
    facts = msgspec.json.decode((folder / FACTS_FILE).read_bytes(), type=_Facts)
    required = tuple(name for name, rule in facts.inputs.items() if rule.get("required"))
    digest = code_digest(folder.parent, (folder.name, SHARED_FOLDER))
    return BuiltinFacts(
        name=facts.name,
        version=facts.version,
        digest=digest,
        folder=folder.name,
        inputs=required,
        parameters=_parameters_schema(folder / PARAMETERS_FILE),
    )


def _parameters_schema(file: Path) -> Mapping[str, Any]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Any]) if file.is_file() else {}


def code_digest(root: Path, folders: Iterable[str]) -> str:
    """`sha256:` over the path (relative to `root`) and content of each file in the folders."""
    files = (path for name in folders for path in (root / name).rglob("*") if path.is_file())
    lines = sorted(
        f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in files
        if not set(path.parts) & SKIPPED
    )
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
