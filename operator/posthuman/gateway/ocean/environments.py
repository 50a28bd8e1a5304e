"""Environments as Ocean's provider reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from posthuman.api.conditions import find_condition
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.quantities import parse_bytes, parse_cpu_millis, parse_duration_seconds

GIGABYTE = 1024**3


def allows_chain(environment: ComputeEnvironment, chain_id: int | None) -> bool:
    """An environment with a chain allows that one; who names none means any."""
    chain = environment.spec.chain
    return chain is None or chain_id is None or chain.chain_id == chain_id


def environment_object(environment: ComputeEnvironment, now: datetime) -> dict[str, Any]:
    """Numbers are those of one node, which is what one instance of a job gets."""
    spec, hardware = environment.spec, environment.spec.hardware
    chain = spec.chain
    return {
        "id": environment.metadata.name,
        "cpuNumber": _number(Decimal(parse_cpu_millis(hardware.cpu_per_node)) / 1000),
        "cpuType": "",
        "gpuNumber": hardware.gpus_per_node,
        "gpuType": hardware.gpu_type if hardware.gpus_per_node else "",
        "ramGB": _gigabytes(hardware.memory_per_node),
        "diskGB": _gigabytes(spec.workspace.size),
        "priceMin": _number(Decimal(spec.pricing.price_min)),
        "desc": spec.description,
        "currentJobs": environment.status.running_jobs,
        "maxJobs": spec.limits.max_jobs,
        "consumerAddress": environment.status.consumer_address,
        "storageExpiry": _seconds(spec.limits.result_retention),
        "maxJobDuration": _seconds(spec.limits.max_duration),
        "lastSeen": str(int(_last_seen(environment, now).timestamp())),
        "allowedChainId": [chain.chain_id] if chain else [],
        "maxNodes": hardware.max_nodes,
        "queuedJobs": environment.status.queued_jobs,
    }


def find_environment(
    environments: Sequence[ComputeEnvironment], name: object, chain_id: int | None
) -> ComputeEnvironment | None:
    """By its id, where the chain is allowed."""
    return next(
        (e for e in environments if e.metadata.name == name and allows_chain(e, chain_id)), None
    )


def _last_seen(environment: ComputeEnvironment, now: datetime) -> datetime:
    """Now while it is ready; else since when it isn't."""
    ready = find_condition(environment.status.conditions, "Ready")
    if ready is None:
        return datetime.fromtimestamp(0, UTC)
    if ready.status == "True" or not ready.last_transition_time:
        return now
    return datetime.fromisoformat(ready.last_transition_time)


def _seconds(duration: str) -> int:
    """0 where none is set: for ever."""
    return int(parse_duration_seconds(duration)) if duration else 0


def _gigabytes(quantity: str) -> int | float:
    return _number(Decimal(parse_bytes(quantity)) / GIGABYTE)


def _number(value: Decimal) -> int | float:
    """A JSON number, whole where it is."""
    return int(value) if value == value.to_integral_value() else float(round(value, 6))
