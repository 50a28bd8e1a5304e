"""How well a GPU is used: model FLOPs, and their share of what it could do (MFU).

Chowdhery et al., 2022 (PaLM, https://arxiv.org/abs/2204.02311, appendix B): a token costs 6·N + 12·
L·H·Q·T floating point operations of forward and backward pass, with N parameters and L layers of H
heads of size Q over T tokens. What checkpointing computes a second time isn't counted.
Unmeasured here.
"""

from __future__ import annotations

from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.preflight.shape import shape_of

# Dense bfloat16 on tensor cores, FLOP/s, by a part of the name that CUDA gives: NVIDIA's data
# sheets. The more special name stands first.
PEAK_BFLOAT16 = {
    "H100 PCIe": 756e12,
    "H100-PCIe": 756e12,
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10": 125e12,
    "L4": 121e12,
}


def training_flops_per_token(model: ModelFacts, length: int, trained: float = 1.0) -> float:
    """Of one token in rows of `length`. Weights that aren't trained (LoRA) need no gradient of
    their own: 4·N for them."""
    shape = shape_of(model)
    weights = (4 + 2 * trained) * model.parameter_count
    return weights + 12 * shape.layers * shape.attention_width * length


def peak_flops(gpu_name: str, dtype: str = "bfloat16") -> float | None:
    """FLOP/s of one GPU; None where it isn't known."""
    if dtype not in ("bfloat16", "float16"):
        return None
    return next((peak for part, peak in PEAK_BFLOAT16.items() if part in gpu_name), None)


def mfu(tokens_per_second_per_gpu: float, flops_per_token: float, peak: float) -> float:
    """Between 0 and 1."""
    return tokens_per_second_per_gpu * flops_per_token / peak
