"""SIGTERM or Ctrl-C while steps are made: the running step is finished, a checkpoint written.

The exit code is then a shell's: 143, or 130 after Ctrl-C. Outside of the steps the signals'
defaults hold: there is nothing to save.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether this process was told to end, and by which signal."""

    def __init__(self) -> None:
        self._number: int | None = None

    @property
    def received(self) -> bool:
        """Further signals change nothing: torchrun passes on what its terminal sent already."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """A peer may have been told, and not this process: as after SIGTERM then."""
        return 128 + (self._number or signal.SIGTERM)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self._number = self._number or number


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Only a process's main thread can use it."""
    request = StopRequest()
    former = {number: signal.signal(number, request.receive) for number in ENDING}
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
