"""How far the watches lag: each write of our own must come back through its kind's watch.

It costs no request and needs no object to be touched for it: the resourceVersion in a write's
answer is awaited in the stream. A write that doesn't come back is a watch that died silently.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol


class LagObserver(Protocol):
    """Told of each write that came back; metrics.py counts them."""

    def watch_lag(self, kind: str, seconds: float) -> None: ...


class UnseenWrites:
    """What was written and hasn't come back yet, by kind; versions grow with time."""

    def __init__(
        self, observer: LagObserver, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._observer = observer
        self._monotonic = monotonic
        self._waiting: dict[str, deque[tuple[int, float]]] = {}
        self._newest: dict[str, int] = {}

    def wrote(self, kind: str, version: str) -> None:
        """A write was answered with this version; the watch may have been quicker."""
        if int(version) <= self._newest.get(kind, 0):
            self._observer.watch_lag(kind, 0.0)
            return
        waiting = self._waiting.setdefault(kind, deque())
        waiting.append((int(version), self._monotonic()))

    def saw(self, kind: str, version: str) -> None:
        """The watch, or a list, has come to this version."""
        newest = self._newest[kind] = max(int(version), self._newest.get(kind, 0))
        waiting = self._waiting.get(kind, deque())
        while waiting and min(waiting)[0] <= newest:
            oldest = min(waiting)
            waiting.remove(oldest)
            self._observer.watch_lag(kind, self._monotonic() - oldest[1])

    def oldest_seconds(self, kind: str) -> float:
        """Since the oldest unseen write; 0 if there is none."""
        waiting = self._waiting.get(kind)
        return self._monotonic() - min(at for _, at in waiting) if waiting else 0.0
