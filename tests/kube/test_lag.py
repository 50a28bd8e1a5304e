"""Our own writes must come back through the watches."""

from __future__ import annotations

from posthuman.kube.lag import UnseenWrites


class Bench:
    def __init__(self) -> None:
        self.now = 100.0
        self.lags: list[tuple[str, float]] = []
        self.unseen = UnseenWrites(self, monotonic=lambda: self.now)

    def watch_lag(self, kind: str, seconds: float) -> None:
        self.lags.append((kind, seconds))


def test_a_write_is_unseen_until_its_version_comes_back() -> None:
    bench = Bench()
    bench.unseen.wrote("ComputeJob", "10")
    bench.now += 2
    bench.unseen.wrote("ComputeJob", "12")
    bench.now += 1
    bench.unseen.saw("ComputeJob", "11")
    assert bench.lags == [("ComputeJob", 3.0)]
    assert bench.unseen.oldest_seconds("ComputeJob") == 1.0
    bench.unseen.saw("ComputeJob", "15")
    assert bench.unseen.oldest_seconds("ComputeJob") == 0.0
    assert bench.lags[1:] == [("ComputeJob", 1.0)]


def test_each_kind_has_a_watch_of_its_own() -> None:
    bench = Bench()
    bench.unseen.wrote("Job", "10")
    bench.unseen.saw("ComputeJob", "20")
    bench.now += 5
    assert bench.unseen.oldest_seconds("Job") == 5.0
    assert bench.unseen.oldest_seconds("ComputeJob") == 0.0


def test_a_write_that_changed_nothing_is_not_awaited() -> None:
    bench = Bench()
    bench.unseen.saw("Job", "10")
    bench.unseen.wrote("Job", "10")
    bench.now += 5
    assert bench.unseen.oldest_seconds("Job") == 0.0


def test_a_watch_that_is_quicker_than_the_answer_has_no_lag() -> None:
    bench = Bench()
    bench.unseen.saw("Job", "12")
    bench.unseen.wrote("Job", "12")
    assert bench.lags == [("Job", 0.0)]
    assert bench.unseen.oldest_seconds("Job") == 0.0
