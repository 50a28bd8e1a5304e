"""Which model types do which tasks: the table that `make models` finds out by trying each.

{"<type>": {"tasks": {"causal-lm": "" | "why it doesn't work"}, "tensorParallel": true | false}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("model_types.json")


@dataclass(frozen=True)
class TypeFacts:
    """`tasks`: those that the type has a head for; the text says why one doesn't work."""

    tasks: Mapping[str, str]
    tensor_parallel: bool

    @property
    def working(self) -> list[str]:
        """Tasks that were tried and work."""
        return [name for name, why_not in self.tasks.items() if not why_not]


@cache
def model_types() -> Mapping[str, TypeFacts]:
    """Of this release, by type."""
    table = json.loads(TABLE.read_text())
    return {
        name: TypeFacts(tasks=facts["tasks"], tensor_parallel=facts["tensorParallel"])
        for name, facts in table.items()
    }


def why_not(model_type: str, wanted: tuple[str, ...], types: Mapping[str, TypeFacts]) -> str:
    """Why the type does none of the tasks; empty if it does one. `wanted` empty: any will do."""
    facts = types.get(model_type)
    if facts is None:
        return f"Models of type {model_type} are not among those that this release was tested with."
    tasks = wanted or tuple(facts.tasks)
    if set(tasks) & set(facts.working):
        return ""
    reasons = [facts.tasks[name] for name in tasks if name in facts.tasks]
    told = f": {reasons[0]}" if reasons else ""
    instead = f" It can do {', '.join(facts.working)}." if facts.working else ""
    named = " or ".join(wanted) or "any task"
    return f"Models of type {model_type} can't do {named}{told.rstrip('.')}.{instead}"
