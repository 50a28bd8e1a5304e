"""How deep a line's JSON goes, seen before anything decodes it.

A decoder calls itself for each bracket. The interpreter's own limit is no sure help: libraries
raise it, and then a line of brackets ends the process without a word.
"""

from __future__ import annotations

import itertools
import re

DEEPEST = 100  # far more than any record of a data set has
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def is_shallow(text: str) -> bool:
    """Brackets inside strings don't count."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return True
    steps = (STEPS.get(match[0], 0) for match in STRING_OR_BRACKET.finditer(text))
    return all(depth <= DEEPEST for depth in itertools.accumulate(steps))
