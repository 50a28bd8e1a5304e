"""The decision in the making; the one place that knows how an asset's status is written."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from posthuman.api.asset import AssetStatus, ModelAsset, TransactionRecord
from posthuman.api.conditions import set_condition, timestamp
from posthuman.api.meta import Condition
from posthuman.assets.observed import Action, Decision, Problem
from posthuman.chain import Receipt

ConditionType = Literal["Accepted", "Published", "Ready"]


class Draft:
    """It lives within one call of decide(); `decision()` ends it."""

    def __init__(self, asset: ModelAsset, now: datetime) -> None:
        self.asset = asset
        self.now = now
        self.status: AssetStatus = asset.status
        self._actions: list[Action] = []
        self._requeue: float | None = None
        self.update(observed_generation=asset.metadata.generation)

    def update(self, **changes: object) -> None:
        """Replace fields of the status."""
        self.status = msgspec.structs.replace(self.status, **changes)

    def do(self, *actions: Action) -> None:
        """Act, in this order."""
        self._actions.extend(actions)

    def look_again(self, seconds: float) -> None:
        """Once only; a change of the object wakes it anyway."""
        self._requeue = seconds

    def record(self, new: TransactionRecord) -> None:
        """Add or replace a step's transaction."""
        self.forget(new.step)
        self.update(transactions=(*self.status.transactions, new))

    def forget(self, step: str) -> None:
        """A transaction that had no effect and never will."""
        kept = tuple(found for found in self.status.transactions if found.step != step)
        self.update(transactions=kept)

    def charge(self, receipt: Receipt) -> None:
        """What a transaction cost, whether it had an effect or not."""
        self.update(
            gas_used=self.status.gas_used + receipt.gas_used,
            cost_wei=str(int(self.status.cost_wei) + receipt.cost_wei),
        )

    def accept(self) -> None:
        """Nothing that the manifest says stands against it."""
        self.condition("Accepted", "True", "Accepted", "the asset may be published")

    def refuse(self, problem: Problem) -> None:
        """The asset is wrong as it is; nothing of it is on chain."""
        self.condition("Accepted", "False", problem.reason, problem.message)
        self.trouble(problem)

    def trouble(self, problem: Problem) -> None:
        """The asset is right, the world is not ready."""
        self.wait(problem.reason, problem.message)
        self.look_again(problem.retry_seconds)

    def wait(self, reason: str, message: str) -> None:
        """Not published yet, and why."""
        self.condition("Published", "False", reason, message)
        self.condition("Ready", "False", reason, message)

    def on_its_way(self, step: str) -> None:
        """Said already when it is stored, so that sending it changes no status."""
        self.wait("Sending", f"{step}: the signed transaction is on its way to be mined")

    def published(self) -> None:
        """The end: from now on the NFT is its owner's."""
        message = f"published as {self.status.did}"
        self.update(published_at=timestamp(self.now))
        self.condition("Published", "True", "Published", message)
        self.condition("Ready", "True", "Published", message)

    def condition(self, kind: ConditionType, status: str, reason: str, message: str) -> None:
        """Set one condition."""
        new = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            observed_generation=self.asset.metadata.generation,
        )
        self.update(conditions=set_condition(self.status.conditions, new, self.now))

    def decision(self) -> Decision:
        """What was decided."""
        return Decision(
            status=self.status,
            actions=tuple(self._actions),
            requeue_after_seconds=self._requeue,
        )
