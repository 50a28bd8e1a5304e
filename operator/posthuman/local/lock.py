"""One run at a time in a working folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posthuman.errors import UserError


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it however we end. Raises UserError if it is taken."""
    workdir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(workdir / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, workdir)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, workdir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"another run uses {workdir}: wait until it ends, or give this one another --workdir",
            reason="FolderInUse",
        ) from None
