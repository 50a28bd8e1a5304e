"""The one work queue between what happens in the world and the reconciles that answer it.

Events only *wake* keys; workers take keys and reconcile them level-triggered, so a hundred wakes of
one key are one pass. The queue knows neither Kubernetes nor Kopf. It lives in memory alone: after a
restart, the first list of every kind wakes every key anew.

The rules, for each key:
- at most one pass at a time; woken while it runs, it gets one more pass after it;
- a pass may ask for a next one in N seconds; a wake drops that timer;
- a pass that fails is tried again with exponential back-off; success forgets the failures;
- first come, first served: a key that was woken again goes to the end of the line.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from posthuman.api.meta import Key
from posthuman.errors import Conflict, PosthumanError, TransientError

logger = logging.getLogger(__name__)

Outcome = Literal["done", "conflict", "unavailable", "failed"]


class Item(NamedTuple):
    """What to reconcile: a kind (ComputeJob, …) and where the object is."""

    kind: str
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


Handler = Callable[[Item], Awaitable[float | None]]
"""One pass over one item; returns in how many seconds to look again, or None."""


class Timer(Protocol):
    """What `call_later` gives back."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class Observer(Protocol):
    """Told what the queue does; metrics.py counts it."""

    def queue_depth(self, depth: int) -> None: ...
    def queue_wait(self, kind: str, seconds: float) -> None: ...
    def queue_pass(self, kind: str, seconds: float, outcome: Outcome) -> None: ...


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds until the next try: `first`, then twice as long each time, at most `cap`."""

    first: float = 0.25
    cap: float = 60.0

    def delay(self, failures: int) -> float:
        """After the n-th failure in a row, from 1."""
        return min(self.cap, self.first * 2.0 ** min(failures - 1, 30))


DEFAULT_BACKOFF = Backoff()


def loop_timer(seconds: float, callback: Callable[[], None]) -> Timer:
    """A timer of the running event loop."""
    return asyncio.get_running_loop().call_later(seconds, callback)


class WorkQueue:
    """Deduplicating, fair, keyed. All methods are to be called on the event loop's thread."""

    def __init__(
        self,
        handler: Handler,
        *,
        observer: Observer,
        concurrency: int = 8,
        backoff: Backoff = DEFAULT_BACKOFF,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: CallLater = loop_timer,
    ) -> None:
        self._handler = handler
        self._observer = observer
        self._concurrency = concurrency
        self._backoff = backoff
        self._monotonic = monotonic
        self._call_later = call_later
        self._line: asyncio.Queue[Item | None] = asyncio.Queue()  # None sends one worker home
        self._woken_at: dict[Item, float] = {}  # in line, or to be put there after the pass
        self._running: set[Item] = set()
        self._timers: dict[Item, tuple[float, Timer]] = {}
        self._failures: dict[Item, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    def wake(self, item: Item) -> None:
        """Have a pass over it soon."""
        self._drop_timer(item)
        if self._closing or item in self._woken_at:
            return
        self._woken_at[item] = self._monotonic()
        if item not in self._running:
            self._line_up(item)

    def wake_after(self, item: Item, seconds: float) -> None:
        """Have a pass over it in `seconds`, or earlier if something else asks for one."""
        if self._closing or item in self._woken_at:
            return
        due = self._monotonic() + max(0.0, seconds)
        planned = self._timers.get(item)
        if planned and planned[0] <= due:
            return
        self._drop_timer(item)
        timer = self._call_later(max(0.0, seconds), lambda: self.wake(item))
        self._timers[item] = (due, timer)

    async def run(self) -> None:
        """Work until `stop`, then end the passes that have begun. Cancelling breaks them off."""
        async with asyncio.TaskGroup() as workers:
            for number in range(self._concurrency):
                workers.create_task(self._work(), name=f"reconciler {number}")

    def stop(self) -> None:
        """Take no more work: what is left is found again at the next start."""
        self._closing = True
        for item in list(self._timers):
            self._drop_timer(item)
        for _ in range(self._concurrency):
            self._line.put_nowait(None)

    async def join(self) -> None:
        """Wait until nothing is in line and nothing runs; timers may still tick."""
        await self._idle.wait()

    async def _work(self) -> None:
        while (item := await self._line.get()) is not None and not self._closing:
            self._running.add(item)
            self._observer.queue_depth(self._line.qsize())
            self._observer.queue_wait(item.kind, self._monotonic() - self._woken_at.pop(item))
            try:
                again_seconds = await self._pass(item)
            finally:
                self._running.discard(item)
            self._plan(item, again_seconds)

    async def _pass(self, item: Item) -> float | None:
        """Reconcile once. The one place that catches everything: a pass must not end a worker."""
        began = self._monotonic()
        outcome: Outcome = "failed"
        try:
            again_seconds = await self._handler(item)
            outcome = "done"
            self._failures.pop(item, None)
            return again_seconds
        except Conflict as error:
            outcome = "conflict"
            logger.info("%s: someone wrote first: %s", item, error)
        except TransientError as error:
            outcome = "unavailable"
            logger.warning("%s: %s: %s", item, error.reason, error)
        except PosthumanError as error:
            logger.error("%s: %s: %s", item, error.reason, error)
        except Exception:
            logger.exception("%s: the pass failed", item)
        finally:
            self._observer.queue_pass(item.kind, self._monotonic() - began, outcome)
        self._failures[item] = self._failures.get(item, 0) + 1
        return self._backoff.delay(self._failures[item])

    def _plan(self, item: Item, again_seconds: float | None) -> None:
        if item in self._woken_at and not self._closing:
            self._line_up(item)
        elif again_seconds is not None:
            self.wake_after(item, again_seconds)
        if not self._running and not self._woken_at:
            self._idle.set()

    def _line_up(self, item: Item) -> None:
        self._idle.clear()
        self._line.put_nowait(item)
        self._observer.queue_depth(self._line.qsize())

    def _drop_timer(self, item: Item) -> None:
        if planned := self._timers.pop(item, None):
            planned[1].cancel()
