"""Amounts of tokens as people write them."""

from __future__ import annotations

import pytest

from posthuman.ledger.amounts import whole


@pytest.mark.parametrize(
    ("wei", "decimals", "text"),
    [
        (10_010_000_000_000_000_000, 18, "10.01"),
        (20 * 10**18, 18, "20"),
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (100, 0, "100"),
        (-1_500_000, 6, "-1.5"),
        (10**40 + 1, 18, "10000000000000000000000.000000000000000001"),
    ],
)
def test_nothing_is_rounded(wei: int, decimals: int, text: str) -> None:
    assert whole(wei, decimals) == text
