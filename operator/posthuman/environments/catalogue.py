"""The installed built-in algorithms: name, version, folder digest, inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

FACTS_FILE = "algorithm.json"
SKIPPED = ("__pycache__", ".pytest_cache")


class BuiltinFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One built-in. `inputs`: the names it needs; `optional`: those it also knows."""

    name: str
    version: str
    digest: str
    inputs: tuple[str, ...] = ()


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
    return BuiltinFacts(
        name=facts.name, version=facts.version, digest=folder_digest(folder), inputs=required
    )


def folder_digest(folder: Path) -> str:
    """`sha256:` over each file's relative path and content, in the order of the paths."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not set(relative.parts) & set(SKIPPED):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{relative.as_posix()}\0{content}\n".encode())
    return "sha256:" + total.hexdigest()
