"""Standard conditions: how one is found, and how one is set without moving its transition time."""

from __future__ import annotations

from datetime import datetime

from posthuman.api.meta import Condition


def find_condition(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((found for found in conditions if found.type == kind), None)


def is_true(conditions: tuple[Condition, ...], kind: str) -> bool:
    """Whether a condition stands and is True."""
    found = find_condition(conditions, kind)
    return found is not None and found.status == "True"


def set_condition(
    conditions: tuple[Condition, ...], new: Condition, now: datetime
) -> tuple[Condition, ...]:
    """The conditions with `new` in its place; its transition time moves only with its status."""
    old = find_condition(conditions, new.type)
    moved = old is None or old.status != new.status
    time = timestamp(now) if moved or old is None else old.last_transition_time
    fresh = Condition(
        type=new.type,
        status=new.status,
        reason=new.reason,
        message=new.message,
        last_transition_time=time,
        observed_generation=new.observed_generation,
    )
    if old is None:
        return (*conditions, fresh)
    return tuple(fresh if found.type == new.type else found for found in conditions)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_between(start: str, end: str) -> float:
    """Between two RFC 3339 timestamps."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
