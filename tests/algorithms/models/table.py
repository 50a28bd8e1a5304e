"""`make models`: tries every type, and writes what was found: a table to read and one for programs.

`python -m tests.algorithms.models.table TYPE…` tries these alone and keeps what is known of others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING

from algorithms.shared.preflight.model_types import TABLE
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.tasks.registry import TASK_NAMES
from tests.algorithms.models.sweep import all_types, main

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "model-types.md"
Table = dict[str, dict[str, Any]]
HEAD = """# Model types

What each model type of transformers {version} can be trained and evaluated for here. `make models`
wrote this page: it made a tiny random model of each type, saved it, loaded it with the algorithms'
own code, compared what it says before and after, trained one step and evaluated it. {working} of
{types} types work for one task at least, {whole} for every task that they have a head for.

*TP*: the type has a plan for `tensorParallel`. **✓** works; **✗** is refused, for the reason below;
empty: transformers has no such head. The models were tiny and on a CPU: memory and speed of real
ones are another matter, and what needs packages that aren't in the image (a vision tower's, say)
counts as not working.

| type | {columns} | TP |
|---|{rules}---|
"""


def write(found: Mapping[str, Mapping[TaskName, str]]) -> None:
    """Both files, with these results in place of what they said of the same types."""
    table = read_table()
    for model_type, tasks in found.items():
        table[model_type] = {"tasks": dict(tasks), "tensorParallel": has_plan(model_type)}
    known = {name: table[name] for name in all_types() if name in table}
    lines = [f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in known.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    PAGE.write_text(page(known))


def read_table() -> Table:
    """As committed; empty before the first time."""
    table: Table = json.loads(TABLE.read_text()) if TABLE.is_file() else {}
    return table


def has_plan(model_type: str) -> bool:
    """Whether the type's configuration, or its text part's, says how to cut the weights."""
    kind = CONFIG_MAPPING[model_type]
    parts = [kind, *getattr(kind, "sub_configs", {}).values()]
    return any(getattr(part, "base_model_tp_plan", None) for part in parts)


def page(table: Table) -> str:
    """The page in Markdown."""
    marks = [[facts["tasks"].get(task) for task in TASK_NAMES] for facts in table.values()]
    head = HEAD.format(
        version=transformers.__version__,
        types=len(table),
        working=sum("" in row for row in marks),
        whole=sum(not any(row) for row in marks),
        columns=" | ".join(TASK_NAMES),
        rules="---|" * len(TASK_NAMES),
    )
    rows = [_row(name, facts) for name, facts in table.items()]
    return head + "\n".join(rows) + "\n\n## Why not\n\n" + "\n".join(_reasons(table)) + "\n"


def _row(name: str, facts: Mapping[str, Any]) -> str:
    marks = [{None: "", "": "✓"}.get(facts["tasks"].get(task), "✗") for task in TASK_NAMES]
    return f"| {name} | {' | '.join(marks)} | {'✓' if facts['tensorParallel'] else ''} |"


def _reasons(table: Table) -> list[str]:
    """One line for each reason of each type."""
    lines: list[str] = []
    for name, facts in table.items():
        reasons: dict[str, list[str]] = {}
        for task, reason in facts["tasks"].items():
            if reason:
                reasons.setdefault(reason, []).append(task)
        lines += [f"- {name} ({', '.join(tasks)}): {text}" for text, tasks in reasons.items()]
    return [line.replace("<", "\\<") for line in lines]


def run(types: Sequence[str]) -> None:
    """Tries, prints, writes."""
    write(main(types))


if __name__ == "__main__":
    run(sys.argv[1:])
