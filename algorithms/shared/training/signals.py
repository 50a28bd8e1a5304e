"""SIGTERM while steps are made: the running step is finished, a checkpoint written, then exit 143.

Outside of the steps the signal's default holds: there is nothing to save.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED = 128 + signal.SIGTERM  # the exit code, as a shell says it


class StopRequest:
    """Whether this process was told to end."""

    def __init__(self) -> None:
        self.received = False

    def receive(self, _number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.received = True


@contextmanager
def stop_on_sigterm() -> Iterator[StopRequest]:
    """Only a process's main thread can use it."""
    request = StopRequest()
    former = signal.signal(signal.SIGTERM, request.receive)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, former)
