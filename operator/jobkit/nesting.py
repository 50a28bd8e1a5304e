"""JSON from a program that may be hostile: looked at for its depth before anything decodes it.

A decoder calls itself for each bracket. The interpreter's own limit is no help where a library has
raised it (py_ecc, below web3, to 100,000): then 64 KiB of brackets end the process.
"""

from __future__ import annotations

import re

MAX_BRACKETS = 500  # far more than any line or report of ours has
MAX_DEPTH = 200  # a job's parameters may have 64 levels
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def is_shallow(text: str) -> bool:
    """Whether so few brackets open in it that no decoder can run out of stack."""
    return text.count("[") + text.count("{") <= MAX_BRACKETS


def is_deep(body: bytes) -> bool:
    """Whether more than MAX_DEPTH brackets are open at once, those in strings apart: for what may
    be long, as code in a request's body."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _BRACKETS.finditer(body):
        first = body[token.start()]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            return True
    return False
