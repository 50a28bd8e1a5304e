"""How many threads to compute with on a CPU: as many as this process may really use.

In a container torch counts the node's cores, not the container's share of them; more threads than
that wait for each other, and run several times slower.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "150000 100000": microseconds in each period


def available_cpus(quota_file: Path = CGROUP_QUOTA) -> int:
    """The cores this process may run on, or fewer if its cgroup grants less; at least 1."""
    cores = _cores()
    if not quota_file.is_file():
        return cores
    quota, period = quota_file.read_text().split()
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))


def _cores() -> int:
    """macOS has no affinity to ask for."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
