"""The decision in the making: a status that is edited, actions that are collected.

It lives within one call of decide() and is the one place that knows how a job's status is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from posthuman.api.conditions import find_condition, is_true, set_condition, timestamp
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import Condition
from posthuman.environments.verdict import Refusal, Waiting
from posthuman.jobs.observed import Action, Decision

ConditionType = Literal[
    "Accepted",
    "Suspended",
    "Staged",
    "Executed",
    "Exported",
    "Published",
    "Signed",
    "Expired",
    "Succeeded",
]
Outcome = Literal["Succeeded", "Failed", "Stopped"]


class Draft:
    """Edits go through here; `decision()` ends it."""

    def __init__(self, job: ComputeJob, now: datetime) -> None:
        self.job = job
        self.now = now
        self.status = job.status
        self._actions: list[Action] = []
        self._requeue: list[float] = []
        self.update(observed_generation=job.metadata.generation)

    def update(self, **changes: object) -> None:
        """Replace fields of the status."""
        self.status = msgspec.structs.replace(self.status, **changes)

    def do(self, *actions: Action) -> None:
        """Act, in this order."""
        self._actions.extend(actions)

    def look_again(self, seconds: float) -> None:
        """The earliest of all these counts."""
        self._requeue.append(max(seconds, 0.5))

    def holds(self, kind: ConditionType) -> bool:
        """Whether a condition is True by now."""
        return is_true(self.status.conditions, kind)

    def condition(self, kind: ConditionType, status: str, reason: str, message: str = "") -> None:
        """Set one condition."""
        new = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            observed_generation=self.job.metadata.generation,
        )
        self.update(conditions=set_condition(self.status.conditions, new, self.now))

    def done(self, kind: ConditionType, message: str) -> None:
        """A part of the job's life is behind it."""
        self.condition(kind, "True", kind, message)

    def wait(self, phase: Phase, reason: str, message: str) -> None:
        """The job is in this phase, and this is why it isn't further."""
        self.update(phase=phase)
        self.condition("Succeeded", "Unknown", reason, message)

    def wait_for(self, phase: Phase, waiting: Waiting) -> None:
        """The same, of a verdict."""
        self.wait(phase, waiting.reason, waiting.message)

    def settle(self, outcome: Outcome, reason: str, message: str) -> None:
        """Fix how the algorithm's part ended; logs and outputs are kept before the job finishes."""
        self.update(outcome=outcome)
        executed = "True" if outcome == "Succeeded" else "False"
        self.condition("Executed", executed, reason, message)

    def refuse(self, refusal: Refusal) -> None:
        """Nothing was made, nothing is to be kept."""
        self.condition("Accepted", "False", refusal.reason, refusal.message)
        self.update(outcome="Failed")
        self.finish(Phase.FAILED, refusal.reason, refusal.message)

    def finish(self, phase: Phase, reason: str, message: str) -> None:
        """The end."""
        assert phase in FINISHED
        self.update(phase=phase, finished_at=timestamp(self.now))
        succeeded = "True" if phase is Phase.SUCCEEDED else "False"
        self.condition("Succeeded", succeeded, reason, message)

    def conclude(self) -> None:
        """The end, as the outcome says."""
        why = find_condition(self.status.conditions, "Executed")
        phase = Phase(self.status.outcome)
        self.finish(phase, why.reason if why else phase.value, why.message if why else "")

    def decision(self) -> Decision:
        """What was decided."""
        return Decision(
            status=self.status,
            actions=tuple(self._actions),
            requeue_after_seconds=min(self._requeue, default=None),
        )
