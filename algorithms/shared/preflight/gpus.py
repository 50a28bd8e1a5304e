"""What a GPU's name tells of its memory."""

from __future__ import annotations

import re

from algorithms.shared.preflight.wording import GIGA

_MEMORY = re.compile(r"(?<![0-9])([0-9]{1,4}) ?GB(?![A-Za-z0-9])", re.IGNORECASE)


def gpu_memory_bytes(gpu_type: str) -> int:
    """Of one GPU: 80 GB of NVIDIA-A100-SXM4-80GB; 0 where the name doesn't say. The GPU's own 80
    GiB are 7% more, which its driver and the allocator's gaps take again."""
    found = _MEMORY.search(gpu_type)
    return int(found[1]) * GIGA if found else 0
