"""A model of a few bytes: config.json and a well-formed safetensors file, without torch."""

from __future__ import annotations

import json


def safetensors(tensors: dict[str, tuple[str, list[int], int]]) -> bytes:
    """A file of zeros; `tensors` maps a name to its dtype, shape and size in bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(offset)


TINY = {
    "config.json": json.dumps({"model_type": "gpt2"}).encode(),
    "model.safetensors": safetensors({"wte": ("BF16", [10, 4], 80), "ln": ("F32", [4], 16)}),
}
TINY_PARAMETERS = 44
