"""One line now and then on how far a transfer is: bytes done, rate, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MEBIBYTE = 1024 * 1024
SECONDS_BETWEEN_LINES = 2.0


class Meter:
    """Counts bytes; prints at most a line every two seconds, and one at the end.

    `total_bytes` None: not known in advance (a server that doesn't say).
    """

    def __init__(
        self,
        verb: str,
        total_bytes: int | None,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda line: print(line, flush=True),
    ) -> None:
        self._verb, self._total, self._clock, self._say = verb, total_bytes, clock, say
        self._lock = threading.Lock()  # uploads count from several threads
        self.done = 0
        self._started = self._last = clock()

    def add(self, count: int) -> None:
        """`count` more bytes are done (negative: they have to be done again)."""
        with self._lock:
            self.done += count
            now = self._clock()
            if now - self._last >= SECONDS_BETWEEN_LINES:
                self._last = now
                self._say(self.line())

    def line(self) -> str:
        """`fetch: 12.0 of 96.0 MiB (12 %), 34.0 MiB/s, about 3 s left`."""
        seconds = max(self._clock() - self._started, 1e-6)
        rate = self.done / seconds
        done = f"{self._verb}: {self.done / MEBIBYTE:.1f}"
        if self._total is None:
            return f"{done} MiB, {rate / MEBIBYTE:.1f} MiB/s"
        percent = 100 * self.done / self._total if self._total else 100
        left = f", about {(self._total - self.done) / rate:.0f} s left" if rate else ""
        size = f"{self._total / MEBIBYTE:.1f} MiB ({percent:.0f} %)"
        return f"{done} of {size}, {rate / MEBIBYTE:.1f} MiB/s{left}"


class Tally:
    """What one try of one file adds to a meter, so that it can be taken back."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._added = meter, 0

    def add(self, count: int) -> None:
        self._added += count
        self._meter.add(count)

    def take_back(self) -> None:
        self._meter.add(-self._added)
