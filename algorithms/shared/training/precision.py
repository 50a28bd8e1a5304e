"""The arithmetic's dtype; weights and sums stay float32."""

from __future__ import annotations

from typing import Literal

import torch

DtypeName = Literal["auto", "float32", "bfloat16"]


def arithmetic_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on a GPU; float32 on a CPU, where bfloat16 is the slower one."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.float32 if name == "float32" else torch.bfloat16


def precision(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """A context in which matrix products are computed in `dtype`."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16, cache_enabled=True
    )
