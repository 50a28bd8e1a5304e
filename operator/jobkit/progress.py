"""Lines that an algorithm prints on stdout, one JSON object a line, among its free text.

`{"posthuman": "progress", "percent": 12.0, "step": 60, "totalSteps": 500, "etaSeconds": 132.5,
"metrics": {"loss": 2.1}}` and, once, before it exits with an error of the user's,
`{"posthuman": "failure", "reason": "EmptyDataset", "message": "…", "userError": true}`.
Algorithms don't import this module (they know nothing of the operator); the format is the contract.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from jobkit.nesting import is_shallow

MAX_METRICS = 64
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # what every reader of JSON can hold
Metrics = Annotated[dict[str, float], msgspec.Meta(max_length=MAX_METRICS)]


class ProgressLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far the algorithm is."""

    percent: float
    step: Count = 0
    total_steps: Count = 0
    eta_seconds: float | None = None
    metrics: Metrics = {}


class FailureLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why the algorithm is about to exit with a code other than 0."""

    reason: str
    message: str
    user_error: bool = True


def parse_line(line: str) -> ProgressLine | FailureLine | None:
    """A structured line's content, or None for free text; whatever it is, nothing is raised."""
    text = line.strip()
    if not text.startswith('{"posthuman"') or not is_shallow(text):
        return None
    try:
        fields: dict[str, Any] = msgspec.json.decode(text)
        kind = {"progress": ProgressLine, "failure": FailureLine}.get(str(fields.pop("posthuman")))
        return msgspec.convert(fields, kind) if kind else None
    except msgspec.MsgspecError:
        return None
