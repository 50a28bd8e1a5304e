"""Quantities as people write them in manifests: durations, bytes, datatokens.

The CRDs' patterns admit exactly what is read here (tests/api compares them); the core works on the
numbers alone.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

from posthuman.errors import UserError

WEI_PER_TOKEN_DIGITS = 18  # an ERC-20 datatoken has 18 decimals

# The same text stands in the CRDs; no Python-only syntax, the API server reads it with RE2.
DURATION_PATTERN = "^([1-9][0-9]{0,4}h)?([1-9][0-9]{0,6}m)?([1-9][0-9]{0,8}s)?$"
BYTES_PATTERN = "^[0-9]{1,15}([.][0-9]{1,9})?([kMGTPE]|[KMGTPE]i)?$"
CPU_PATTERN = "^([0-9]{1,7}m|[0-9]{1,4}([.][0-9]{1,3})?)$"
TOKENS_PATTERN = "^[0-9]{1,30}([.][0-9]{1,18})?$"

_SECONDS = (3600.0, 60.0, 1.0)
_DECIMAL_BYTES = {"": 1, "k": 1000} | {
    letter: 1000**power for power, letter in enumerate("MGTPE", start=2)
}
_BINARY_BYTES = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}


def parse_duration_seconds(text: str) -> float:
    """Seconds of a duration such as 90s, 90m, 24h or 2h30m. Raises UserError."""
    found = re.fullmatch(DURATION_PATTERN, text, re.ASCII)
    if not text or found is None:
        raise UserError(
            f'"{text}" is no duration: write hours, minutes, seconds such as 90s, 2h30m'
        )
    return sum(
        float(part[:-1]) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True) if part
    )


def parse_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity such as 512Mi, 1Gi or 1.5G, rounded up. Raises UserError."""
    found = re.fullmatch(BYTES_PATTERN, text, re.ASCII)
    if found is None:
        raise UserError(f'"{text}" is no size: write a number of bytes such as 512Mi, 20Gi or 1.5G')
    suffix = found.group(2) or ""
    factor = _BINARY_BYTES.get(suffix) or _DECIMAL_BYTES[suffix]
    exact = Decimal(text.removesuffix(suffix)) * factor
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def parse_tokens_wei(text: str) -> int:
    """Wei (10^-18) of whole tokens, a decimal such as 200 or 0.5. Raises UserError."""
    if re.fullmatch(TOKENS_PATTERN, text, re.ASCII) is None:
        raise UserError(
            f'"{text}" is no amount of tokens: write a decimal, at most 18 places, such as 200.5'
        )
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(WEI_PER_TOKEN_DIGITS, "0"))


def parse_cpu_millis(text: str) -> int:
    """Thousandths of a core of a Kubernetes quantity such as 2, 1.5 or 500m. Raises UserError."""
    found = re.fullmatch(CPU_PATTERN, text, re.ASCII)
    if found is None:
        raise UserError(f'"{text}" is no amount of CPU: write cores such as 2, 1.5 or 500m')
    return int(text[:-1]) if text.endswith("m") else int(Decimal(text) * 1000)
