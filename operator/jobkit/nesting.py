"""JSON from a program that may be hostile: looked at for its depth before anything decodes it.

A decoder calls itself for each bracket. The interpreter's own limit is no help: libraries raise it
(py_ecc, below web3, to 100,000), and then 64 KiB of brackets end the process.
"""

from __future__ import annotations

MAX_BRACKETS = 500  # far more than any line or report of ours has


def is_shallow(text: str) -> bool:
    """Whether so few brackets open in it that no decoder can run out of stack."""
    return text.count("[") + text.count("{") <= MAX_BRACKETS
