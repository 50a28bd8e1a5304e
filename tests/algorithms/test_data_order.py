"""The order of training and the choice of samples: fair, repeatable, resumable anywhere."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from algorithms.shared.data.draw import Draw, choose
from algorithms.shared.data.order import row_order


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 1000, 3000])
def test_every_row_comes_once_an_epoch(count: int) -> None:
    order = row_order(count, seed=3)
    for _ in range(3):
        assert sorted(itertools.islice(order, count)) == list(range(count))


def test_epochs_and_seeds_differ() -> None:
    order = row_order(50, seed=3)
    first, second = (list(itertools.islice(order, 50)) for _ in range(2))
    other = list(itertools.islice(row_order(50, seed=4), 50))
    assert first != second
    assert first not in (other, sorted(first))


@pytest.mark.parametrize("start", [1, 49, 50, 51, 1234])
def test_it_goes_on_from_any_place(start: int) -> None:
    whole = row_order(50, seed=3)
    resumed = row_order(50, seed=3, start=start)
    assert list(itertools.islice(whole, start, start + 70)) == list(itertools.islice(resumed, 70))


def test_a_huge_count_takes_no_time_and_no_memory() -> None:
    rows = list(itertools.islice(row_order(10**15, seed=1, start=10**17), 5))
    assert len(set(rows)) == 5
    assert max(rows) < 10**15


def test_each_row_comes_at_each_place_as_often() -> None:
    """Chi-squared of 10 rows at 10 places over 2,000 seeds: 81 degrees of freedom; the 99.99th
    percentile is 136."""
    seen = Counter(
        (place, row)
        for seed in range(2000)
        for place, row in enumerate(itertools.islice(row_order(10, seed), 10))
    )
    cells = [(place, row) for place in range(10) for row in range(10)]
    assert sum((seen[cell] - 200) ** 2 / 200 for cell in cells) < 136


def test_a_draw_is_fair() -> None:
    """3 of 10, 3,000 times: each is drawn 900 times, give or take 4 standard deviations of 25."""
    drawn = Counter(item for seed in range(3000) for item in choose(range(10), 3, seed))
    assert [item for item in range(10) if not 800 < drawn[item] < 1000] == []


def test_a_draw_is_in_order_and_repeats() -> None:
    assert choose(range(100), 5, seed=1) == choose(iter(range(100)), 5, seed=1)
    assert choose(range(100), 5, seed=1) == sorted(choose(range(100), 5, seed=1))
    assert choose(range(3), 5, seed=1) == [0, 1, 2]


@pytest.mark.parametrize(("count", "expected"), [(9, 0), (10, 1), (39, 3), (100, 4)])
def test_a_share_is_never_exceeded_and_nothing_is_lost(count: int, expected: int) -> None:
    draw: Draw[int] = Draw(most=4, seed=2, share=10)
    rest = list(draw.rest(range(count)))
    assert len(draw.chosen()) == expected
    assert sorted(rest + draw.chosen()) == list(range(count))
