"""What an algorithm left behind, and which of it may leave: pure but for looking at the folders.

Regular files only. A link is never followed, at any depth, so nothing outside the two folders can
be reached through them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from jobkit.errors import UserFault
from jobkit.manifest import CUSTODY_PREFIX, MANIFEST_NAME, FileClass
from jobkit.paths import safe_relative
from jobkit.plan import ExportPlan

LOGS_PREFIX = "logs/"
LARGEST_NAMED = 5
MAX_FILES = 20_000  # keeps the manifest, and the memory of who reads it, small


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file: bytes [first_byte, size) of it are meant for `path` at the destination."""

    root: Path
    relative: str
    path: str
    size: int
    first_byte: int = 0

    @property
    def file_class(self) -> FileClass:
        """Weights stay in the environment; all else the buyer may download."""
        return "custody" if self.path.startswith(CUSTODY_PREFIX) else "result"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A folder's regular files, and what else lies there."""

    files: tuple[Found, ...] = ()
    skipped: tuple[str, ...] = ()  # a sentence each


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is uploaded, under which outcome. `reason` empty: nothing is wrong."""

    outcome: str
    files: tuple[Found, ...]
    reason: str = ""
    message: str = ""


def list_folder(root: Path, prefix: str = "") -> Listing:
    """Look at a folder, without following a link; an absent one is empty."""
    files: list[Found] = []
    skipped: list[str] = []
    for entry in _entries(root, skipped):
        relative = os.path.relpath(entry.path, root)
        if why := _why_not(entry, prefix + relative):
            skipped.append(f"{prefix + relative!a} is left out: {why}")
        else:
            size = entry.stat(follow_symlinks=False).st_size
            files.append(Found(root=root, relative=relative, path=prefix + relative, size=size))
    return Listing(files=tuple(sorted(files, key=lambda f: f.path)), skipped=tuple(skipped))


def _entries(folder: Path, skipped: list[str]) -> Iterator[os.DirEntry[str]]:
    """Everything below that is no folder; folders that can't be read are added to `skipped`."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except PermissionError:
        skipped.append(f"{str(folder)!a} is left out: its mode forbids to read it")
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), skipped)
        else:
            yield entry


def _why_not(entry: os.DirEntry[str], path: str) -> str:
    if entry.is_symlink():
        return "it is a link"
    if not entry.is_file(follow_symlinks=False):
        return "it is no regular file"
    if not os.access(entry.path, os.R_OK, effective_ids=True):
        return "its mode forbids to read it"
    if path == MANIFEST_NAME:
        return "the name is reserved"
    try:
        safe_relative(path)
    except UserFault:
        return "its name can't be stored"
    return ""


def judge(plan: ExportPlan, outputs: Sequence[Found], logs: Sequence[Found]) -> Verdict:
    """Decide what leaves the workspace."""
    log_paths = {file.path for file in logs}
    outputs = [file for file in outputs if file.path not in log_paths]
    limit = plan.max_result_bytes
    results = [file for file in (*outputs, *logs) if file.file_class == "result"]
    total = sum(file.size for file in results)
    if len(outputs) > MAX_FILES:
        return Verdict(
            outcome=_failed(plan),
            files=_last_bytes(logs, limit or total),
            reason="TooManyFiles",
            message=f"the algorithm wrote {len(outputs)} files, the limit is {MAX_FILES}; "
            "nothing but logs was kept. Pack them into fewer",
        )
    if limit and total > limit:
        return Verdict(
            outcome=_failed(plan),
            files=_last_bytes(logs, limit),
            reason="ResultTooLarge",
            message=_too_large(results, total, limit),
        )
    if plan.outcome == "Succeeded" and not outputs:
        return Verdict(
            outcome="Failed",
            files=tuple(logs),
            reason="NoOutput",
            message="the algorithm ended well but wrote no file below its outputs folder; "
            "it must leave its results there",
        )
    return Verdict(outcome=plan.outcome, files=(*outputs, *logs))


def _failed(plan: ExportPlan) -> str:
    return "Failed" if plan.outcome == "Succeeded" else plan.outcome


def _last_bytes(logs: Sequence[Found], limit: int) -> tuple[Found, ...]:
    """The end of each log within the limit, so that nothing large can leave as a log."""
    kept, room = [], limit
    for file in logs:
        size = min(file.size, room)
        if size or not file.size:
            kept.append(msgspec.structs.replace(file, first_byte=file.size - size))
        room -= size
    return tuple(kept)


def _too_large(results: Sequence[Found], total: int, limit: int) -> str:
    largest = sorted(results, key=lambda file: file.size, reverse=True)[:LARGEST_NAMED]
    named = ", ".join(f"{file.path} ({file.size})" for file in largest)
    return (
        f"the results have {total} bytes, the limit is {limit}; nothing but logs was kept. "
        f"Write less, or keep weights below {CUSTODY_PREFIX}. Largest: {named}"
    )
