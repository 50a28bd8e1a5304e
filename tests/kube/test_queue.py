"""The work queue's rules, with time in the test's hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from posthuman.api.meta import Key
from posthuman.errors import TransientError
from posthuman.queue import Backoff, Item, Outcome, WorkQueue


def item(name: str) -> Item:
    return Item("ComputeJob", Key("bob", name))


A, B, C = item("a"), item("b"), item("c")


class ManualTime:
    """A clock and timers that move only when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[ManualTimer] = []

    def monotonic(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(self.now + seconds, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [t for t in self.timers if t.due <= self.now]
        self.timers = [t for t in self.timers if t.due > self.now]
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class ManualTimer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due, self.callback, self.cancelled = due, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class Recorder:
    """An observer that writes down."""

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.waits: list[float] = []
        self.passes: list[tuple[float, Outcome]] = []

    def queue_depth(self, depth: int) -> None:
        self.depths.append(depth)

    def queue_wait(self, kind: str, seconds: float) -> None:
        self.waits.append(seconds)

    def queue_pass(self, kind: str, seconds: float, outcome: Outcome) -> None:
        self.passes.append((seconds, outcome))


class Bench:
    """A queue whose passes the test answers: scripted results first, then None."""

    def __init__(self, concurrency: int = 1) -> None:
        self.time = ManualTime()
        self.recorder = Recorder()
        self.seen: list[str] = []
        self.results: list[float | Exception | None] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.began = asyncio.Event()
        self.active = 0
        self.most_active = 0
        self.queue = WorkQueue(
            self.handle,
            observer=self.recorder,
            concurrency=concurrency,
            backoff=Backoff(first=1.0, cap=5.0),
            monotonic=self.time.monotonic,
            call_later=self.time.call_later,
        )

    async def handle(self, item: Item) -> float | None:
        self.seen.append(item.key.name)
        self.began.set()
        self.active += 1
        self.most_active = max(self.active, self.most_active)
        if gate := self.gates.get(item.key.name):
            await gate.wait()
        self.active -= 1
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result

    async def until_seen(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.seen) < count:
                self.began.clear()
                await self.began.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.queue.run())
        try:
            yield
        finally:
            self.queue.stop()
            await asyncio.wait_for(task, 5)


async def test_many_wakes_are_one_pass() -> None:
    bench = Bench()
    for _ in range(100):
        bench.queue.wake(A)
    async with bench.running():
        await bench.queue.join()
    assert bench.seen == ["a"]


async def test_first_come_first_served() -> None:
    bench = Bench()
    for woken in (B, A, C, B):
        bench.queue.wake(woken)
    async with bench.running():
        await bench.queue.join()
    assert bench.seen == ["b", "a", "c"]


async def test_woken_while_it_runs_gets_one_more_pass_and_never_two_at_once() -> None:
    bench = Bench(concurrency=4)
    bench.gates["a"] = asyncio.Event()
    async with bench.running():
        bench.queue.wake(A)
        await bench.until_seen(1)
        for _ in range(5):
            bench.queue.wake(A)
        bench.queue.wake(B)
        await bench.until_seen(2)
        assert bench.seen == ["a", "b"]
        bench.gates["a"].set()
        await bench.queue.join()
    assert bench.seen == ["a", "b", "a"]


async def test_a_busy_key_goes_to_the_end_of_the_line() -> None:
    bench = Bench()
    bench.gates["a"] = asyncio.Event()
    async with bench.running():
        bench.queue.wake(A)
        await bench.until_seen(1)
        for woken in (A, B, C):
            bench.queue.wake(woken)
        bench.gates["a"].set()
        await bench.queue.join()
    assert bench.seen == ["a", "b", "c", "a"]


async def test_concurrency_is_bounded() -> None:
    bench = Bench(concurrency=3)
    names = [f"j{n}" for n in range(9)]
    bench.gates = {name: asyncio.Event() for name in names}
    async with bench.running():
        for name in names:
            bench.queue.wake(item(name))
        await bench.until_seen(3)
        for gate in bench.gates.values():
            gate.set()
        await bench.queue.join()
    assert bench.most_active == 3
    assert sorted(bench.seen) == names


async def test_looks_again_after_the_seconds_a_pass_asked_for() -> None:
    bench = Bench()
    bench.results = [10.0]
    async with bench.running():
        bench.queue.wake(A)
        await bench.queue.join()
        bench.time.advance(9.9)
        await bench.queue.join()
        assert bench.seen == ["a"]
        bench.time.advance(0.2)
        await bench.queue.join()
    assert bench.seen == ["a", "a"]


async def test_a_wake_drops_the_timer() -> None:
    bench = Bench()
    bench.results = [10.0]
    async with bench.running():
        bench.queue.wake(A)
        await bench.queue.join()
        bench.queue.wake(A)
        await bench.queue.join()
        bench.time.advance(100)
        await bench.queue.join()
    assert bench.seen == ["a", "a"]


@pytest.mark.parametrize("delays", [(10.0, 3.0), (3.0, 10.0)])
async def test_of_two_timers_the_earliest_wins(delays: tuple[float, float]) -> None:
    bench = Bench()
    async with bench.running():
        for delay in delays:
            bench.queue.wake_after(A, delay)
        bench.time.advance(3)
        await bench.queue.join()
        bench.time.advance(100)
        await bench.queue.join()
    assert bench.seen == ["a"]


async def test_back_off_doubles_to_its_cap_and_success_forgets() -> None:
    bench = Bench()
    bench.results = [TransientError("the store is away")] * 5
    async with bench.running():
        bench.queue.wake(A)
        await bench.queue.join()
        for number, delay in enumerate((1.0, 2.0, 4.0, 5.0, 5.0), start=1):
            bench.time.advance(delay - 0.01)
            await bench.queue.join()
            assert len(bench.seen) == number, f"came early, before {delay} s"
            bench.time.advance(0.02)
            await bench.queue.join()
            assert len(bench.seen) == number + 1
        bench.results = [TransientError("again")]
        bench.queue.wake(A)
        await bench.queue.join()
        bench.time.advance(1.01)
        await bench.queue.join()
    assert len(bench.seen) == 8


async def test_an_unexpected_error_is_logged_with_the_key_and_ends_no_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.results = [KeyError("spec")]
    with caplog.at_level(logging.ERROR):
        async with bench.running():
            bench.queue.wake(A)
            bench.queue.wake(B)
            await bench.queue.join()
            bench.time.advance(1.01)
            await bench.queue.join()
    assert bench.seen == ["a", "b", "a"]
    (record,) = caplog.records
    assert "ComputeJob bob/a" in record.getMessage()
    assert record.exc_info is not None
    assert [outcome for _, outcome in bench.recorder.passes] == ["failed", "done", "done"]


async def test_stop_ends_what_has_begun_and_starts_nothing_more() -> None:
    bench = Bench()
    bench.gates["a"] = asyncio.Event()
    task = asyncio.create_task(bench.queue.run())
    bench.queue.wake(A)
    bench.queue.wake(B)
    await bench.until_seen(1)
    bench.queue.stop()
    bench.queue.wake(C)
    bench.gates["a"].set()
    await asyncio.wait_for(task, 5)
    assert bench.seen == ["a"]
    assert bench.active == 0


async def test_tells_depth_wait_and_length_of_a_pass() -> None:
    bench = Bench()
    bench.gates["a"] = asyncio.Event()
    async with bench.running():
        bench.queue.wake(A)
        bench.queue.wake(B)
        await bench.until_seen(1)
        bench.time.advance(2)
        bench.gates["a"].set()
        await bench.queue.join()
    assert max(bench.recorder.depths) == 2
    assert bench.recorder.depths[-1] == 0
    assert bench.recorder.waits == [0, 2]
    assert bench.recorder.passes == [(2, "done"), (0, "done")]
