"""What is known beforehand, and what can be said then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelFacts:
    """Of a manifest (type, count, dtype), or of the files themselves (the config too)."""

    model_type: str
    parameter_count: int
    dtype: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hardware:
    """What the job gets. `gpu_memory_bytes` 0: unknown; `gpus_per_node` 0: it runs on CPUs."""

    nodes: int
    gpus_per_node: int
    processes_per_node: int
    gpu_memory_bytes: int
    node_memory_bytes: int


@dataclass(frozen=True)
class Verdict:
    """`reason` empty: nothing speaks against it. `note`: the estimate, as one sentence."""

    reason: str = ""  # CamelCase: UnsupportedModel, DoesNotFit, …
    message: str = ""
    note: str = ""
