"""What policy and capacity answer: yes (None), never (Refusal), or not yet (Waiting)."""

from __future__ import annotations

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """The job can't run here, whatever happens; the sentence says what to do."""

    reason: str
    message: str


class Waiting(msgspec.Struct, frozen=True):
    """The job can't run yet; the sentence says what it waits for."""

    reason: str
    message: str


Verdict = Refusal | Waiting | None
