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
from jobkit.manifest import CUSTODY_PREFIX, MANIFEST_NAME, RECEIPT_NAME, FileClass
from jobkit.paths import safe_relative
from jobkit.plan import ExportPlan

LOGS_PREFIX = "logs/"
OWN_LOGS = f"{LOGS_PREFIX}algorithm"
LARGEST_NAMED = 5
MAX_FILES = 20_000  # keeps the manifest, and the memory of who reads it, small
MAX_LOGS = 200  # kept of a job that wrote too many files
MAX_PATH_BYTES = 800  # S3 allows keys of 1024, and some of that is the store's prefix and the job's


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
    """Look at a folder, without following a link; an absent one is empty.

    Of more than MAX_FILES files one more than that is listed: enough to refuse them.
    """
    files: list[Found] = []
    skipped: list[str] = []
    for entry in _entries(root, skipped):
        if len(files) > MAX_FILES:
            break
        relative = os.path.relpath(entry.path, root)
        if why := _why_not(entry, prefix + relative):
            skipped.append(f"{prefix + relative!a} is left out: {why}")
        else:
            size = entry.stat(follow_symlinks=False).st_size
            files.append(Found(root=root, relative=relative, path=prefix + relative, size=size))
    return Listing(files=tuple(sorted(files, key=lambda f: f.path)), skipped=tuple(skipped))


def _entries(root: Path, skipped: list[str]) -> Iterator[os.DirEntry[str]]:
    """Everything below that is no folder; folders that can't be read are added to `skipped`.

    An algorithm may nest folders deeper than a path may be long, so nothing here calls itself.
    """
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            continue
        except PermissionError:
            skipped.append(f"{folder!a} is left out: its mode forbids to read it")
            continue
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry
            elif _is_short(os.path.relpath(entry.path, root)):
                folders.append(entry.path)
            else:
                skipped.append(f"{entry.path[:200]!a}… is left out: its path is too long")


def _is_short(path: str) -> bool:
    return len(os.fsencode(path)) <= MAX_PATH_BYTES


def _why_not(entry: os.DirEntry[str], path: str) -> str:
    if not _is_short(path):
        return "its path is too long"
    if entry.is_symlink():
        return "it is a link"
    if not entry.is_file(follow_symlinks=False):
        return "it is no regular file"
    if not os.access(entry.path, os.R_OK, effective_ids=True):
        return "its mode forbids to read it"
    if path in (MANIFEST_NAME, RECEIPT_NAME):
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
    if len(outputs) + len(logs) > MAX_FILES:
        return Verdict(
            outcome=_failed(plan),
            files=_last_bytes(_first_logs(logs), limit or total),
            reason="TooManyFiles",
            message=f"the algorithm wrote more than {MAX_FILES} files, which is the limit; "
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


def _first_logs(logs: Sequence[Found]) -> Sequence[Found]:
    """The launcher's own before those that the algorithm made beside them."""
    return sorted(logs, key=lambda file: (not file.path.startswith(OWN_LOGS), file.path))[:MAX_LOGS]


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
