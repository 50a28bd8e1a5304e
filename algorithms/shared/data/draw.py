"""A random choice from a stream of unknown length, in one pass, the same for the same seed.

Every item is drawn a random key, and those with the smallest keys are kept: a uniform choice
without replacement (bottom-k sampling; Efraimidis and Spirakis, "Weighted random sampling with a
reservoir", 2006, with equal weights).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Draw(Generic[T]):
    """At most `most` items of a stream, and at most every `share`-th; the rest passes through.

    Only what is chosen is held in memory, so the rest's order is the stream's but for those that
    were chosen for a while.
    """

    def __init__(self, most: int, seed: int, share: int = 1) -> None:
        self._most, self._share = most, share
        self._keys = random.Random(seed)
        self._heap: list[tuple[float, int, T]] = []  # the largest key first
        self._seen = 0

    def rest(self, items: Iterable[T]) -> Iterator[T]:
        """What isn't chosen. `chosen` is right once this has come to its end."""
        for item in items:
            heapq.heappush(self._heap, (-self._keys.random(), self._seen, item))
            self._seen += 1
            if len(self._heap) > self._most:
                yield heapq.heappop(self._heap)[2]
        while len(self._heap) > self._seen // self._share:
            yield heapq.heappop(self._heap)[2]

    def chosen(self) -> list[T]:
        """In the stream's order."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: entry[1])]


def choose(items: Iterable[T], most: int, seed: int) -> list[T]:
    """`most` random items, or all if there are fewer, in their order."""
    draw: Draw[T] = Draw(most, seed)
    for _ in draw.rest(items):
        pass
    return draw.chosen()
