"""Names that come from outside (a manifest, a URI, a plan) before they become paths."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from jobkit.errors import UserFault

MAX_NAME_BYTES = 255  # Linux's limit for one component
_INPUT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def safe_relative(path: str) -> str:
    """`path` itself when it stays below its folder; raises UserFault (UnsafeName) otherwise."""
    if not path or any(not _safe_component(part) for part in path.split("/")):
        raise UserFault("UnsafeName", f"the file name {path!r} is not allowed; rename the file")
    return path


def safe_input_name(name: str) -> str:
    """An input's name, which becomes a folder. Raises UserFault."""
    if not _INPUT_NAME.fullmatch(name):
        raise UserFault("UnsafeName", f"the input name {name!r} must be like 'model' or 'my-text'")
    return name


def file_name_of(path: str, fallback: str) -> str:
    """The last component of a URI's (decoded) path, or `fallback` if it has none."""
    name = PurePosixPath(path).name
    return safe_relative(name) if name else fallback


def _safe_component(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and len(part.encode(errors="replace")) <= MAX_NAME_BYTES
        and part.isprintable()
        and "\\" not in part
    )
