"""Amounts of tokens as people write them. Pure."""

from __future__ import annotations

from decimal import Context, Decimal

DATATOKEN_DECIMALS = 18
_EXACT = Context(prec=100)  # 2**256 has 78 digits


def whole(wei: int, decimals: int = DATATOKEN_DECIMALS) -> str:
    """A decimal without an exponent, nothing rounded: 10010000000000000000 wei → "10.01"."""
    text = f"{Decimal(wei).scaleb(-decimals, _EXACT):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
