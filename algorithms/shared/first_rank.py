"""Work that the first rank does alone, on the CPU, while the others wait as long as it takes.

A barrier would not do: NCCL gives a collective up after 10 minutes, gloo after 30.
"""

from __future__ import annotations

import time

from algorithms.shared.ranks import Ranks

BEAT_SECONDS = 20.0


class Heart:
    """Tells the waiting ranks from time to time that the first one still works."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        """To be called often; costs nothing most of the time."""
        if time.monotonic() - self._beaten_at > BEAT_SECONDS:
            self._ranks.gather([""])
            self._beaten_at = time.monotonic()

    def stop(self, result: str) -> None:
        """The work is done; `result`, which isn't empty, goes to the others."""
        self._ranks.gather([result])


def waited_for(ranks: Ranks) -> str:
    """On every other rank: the first one's result."""
    result = ""
    while not result:
        [result] = ranks.gather([])
    return result
