"""Reading untyped fields, each with a sentence for what it can't be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from posthuman.errors import UserError


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """Raises UserError."""
    if not isinstance(value, dict):
        raise UserError(f"`{where}` must be an object")
    return value


def sequence(value: object, where: str, index: int | None = None) -> Sequence[object]:
    """Raises UserError; null is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        at = f"input[{index}].{where}" if index is not None else where
        raise UserError(f"`{at}` must be an array")
    return value


def words(value: object, where: str) -> str:
    """A text; a number's digits; empty for null. Raises UserError."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UserError(f"`{where}` must be a text")
    return value


def whole_number(value: object, where: str) -> int:
    """At least 1; also as its digits. Raises UserError."""
    number = value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        number = int(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise UserError(f"`{where}` must be a whole number of at least 1")
    return number


def secret_text(value: object) -> str:
    """User data as the provider passes it on: a text as it is, anything else as JSON."""
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
