"""Names and dtype of the weights in a folder, from the headers of its files."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from algorithms.shared.failures import BadModel

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
LONGEST_HEADER = 100_000_000  # bytes, as safetensors itself limits it


def stored_dtype(folder: Path, config: Any) -> torch.dtype:
    """That of most weights; without safetensors, the config's. Raises BadModel."""
    counts: Counter[torch.dtype] = Counter()
    for file in sorted(folder.glob("*.safetensors")):
        for tensor in _header(file).values():
            if tensor.get("dtype") in DTYPES:
                counts[DTYPES[tensor["dtype"]]] += _elements(tensor)
    if counts:
        return counts.most_common(1)[0][0]
    return config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32


def weight_names(folder: Path) -> set[str]:
    """In safetensors files; empty where there are none. Raises BadModel."""
    return {name for file in folder.glob("*.safetensors") for name in _header(file)}


def _header(file: Path) -> dict[str, Any]:
    """Tensor name → {dtype, shape, …}: 8 bytes of length, then JSON (safetensors' format)."""
    try:
        with file.open("rb") as content:
            (length,) = struct.unpack("<Q", content.read(8))
            header = json.loads(content.read(min(length, LONGEST_HEADER)))
    except (OSError, ValueError, struct.error) as error:
        raise BadModel(f"{file} is no safetensors file: {error}.") from error
    return {name: value for name, value in header.items() if name != "__metadata__"}


def _elements(tensor: dict[str, Any]) -> int:
    count = 1
    for size in tensor["shape"]:
        count *= size
    return count
