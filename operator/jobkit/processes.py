"""Processes of the algorithm: find them all, and leave none behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PROC = Path("/proc")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux), so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Every process below `root`, in no order; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        if (parent := _parent_of(folder)) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _parent_of(folder: Path) -> int | None:
    """The parent of a live process, from /proc/PID/stat: `PID (name) state parent …`."""
    try:
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:  # it ended meanwhile
        return None
    return None if state == "Z" else int(parent)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send to a process group, if any of it still lives."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def kill_now(group: int) -> None:
    """SIGKILL to a process group and to all that this process has started; reaps nothing."""
    signal_group(group, signal.SIGKILL)
    for pid in descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leave_nothing(group: int) -> None:
    """Kill and reap until no process is left that this one has started."""
    kill_now(group)
    while descendants(os.getpid()):
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
        kill_now(group)
