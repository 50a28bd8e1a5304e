"""Looking at processes from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_SECONDS = 20.0


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_that_name(text: str) -> list[int]:
    """Living processes whose command line or environment holds a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in said and alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def until(condition: Callable[[], bool], deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    end = time.monotonic() + deadline_seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline_seconds} s: {condition}")
        time.sleep(0.01)
