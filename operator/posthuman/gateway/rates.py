"""How much one caller may ask for: a token bucket each, in this replica's memory.

Two replicas let a caller have twice as much; what protects a replica needs no more than that.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BUCKETS = 100_000  # about 20 MB; the ones used longest ago are forgotten, which fills them


class Buckets:
    """`per_second` requests for ever, `burst` of them at once."""

    def __init__(
        self, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, as of when

    def take(self, caller: str) -> float:
        """One request of this caller's: 0.0, or the seconds until there is room for it."""
        wait, now = self.wait(caller), self._monotonic()
        level = self._level(caller, now)
        self._levels.pop(caller, None)
        self._levels[caller] = (level if wait else level - 1.0, now)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return wait

    def wait(self, caller: str) -> float:
        """What `take` would say, and nothing taken."""
        return max(0.0, (1.0 - self._level(caller, self._monotonic())) / self._per_second)

    def _level(self, caller: str, now: float) -> float:
        level, then = self._levels.get(caller, (float(self._burst), now))
        return min(float(self._burst), level + (now - then) * self._per_second)
