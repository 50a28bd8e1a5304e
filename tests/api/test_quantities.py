"""Durations, sizes and token amounts, and the sentences for what is none."""

import pytest

from posthuman.api.quantities import parse_bytes, parse_duration_seconds, parse_tokens_wei
from posthuman.errors import UserError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90m", 5400), ("24h", 86400), ("2h30m", 9000), ("1h1m1s", 3661)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "0s", "1d", "30m2h", "-1s", "1.5h", "90s\n", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no duration: write hours, minutes, seconds"):
        parse_duration_seconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1Gi", 1024**3),
        ("1.5G", 1_500_000_000),
        ("0.3", 1),
        ("4Pi", 4 * 1024**5),
        ("2E", 2 * 1000**6),
    ],
)
def test_a_size_is_read_in_bytes_and_rounded_up(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "Gi", "1K", "1gb", "1 Gi", "-1", "1Gi\n", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no size: write a number of bytes"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("0", 0),
        ("200", 200 * 10**18),
        ("200.5", 2005 * 10**17),
        ("0.000000000000000001", 1),
        ("123456789012345678901234567890.1", 1234567890123456789012345678901 * 10**17),
    ],
)
def test_tokens_are_read_exactly(text: str, wei: int) -> None:
    assert parse_tokens_wei(text) == wei


@pytest.mark.parametrize("text", ["", ".5", "1.", "1,5", "-1", "1e18", "0." + "0" * 19, "200\n"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no amount of tokens: write a decimal"):
        parse_tokens_wei(text)
