"""Weights, gradients and AdamW's state: what training holds for each parameter, in bytes.

With AdamW in mixed precision 16 bytes a parameter (2 weight, 2 gradient, 4 master weight, 8 for the
two moments), of which ZeRO cuts ever more over N ranks (Rajbhandari et al., 2020, section 3 and
figure 1, https://arxiv.org/abs/1910.02054). DeepSpeed holds the gradient a second time in float32
while it updates: 18 bytes with the weight in ZeRO-3, 20 in ZeRO-2, as its own functions
`estimate_zero3_model_states_mem_needs` and `estimate_zero2_model_states_mem_needs` count them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Offload = Literal["none", "optimizer", "all"]

FLOAT32 = 4
MOMENTS = 8  # AdamW's two, float32
DTYPE_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
MASTER = FLOAT32 + MOMENTS + FLOAT32  # weight, moments and gradient, as the optimiser has them
HOST_BUFFERS = 1.5  # DeepSpeed's additional_buffer_factor: pinned copies on their way
REDUCE_BUCKET = 50_000_000  # elements; as training/zero_config.py sets it


@dataclass(frozen=True)
class Weights:
    """How many there are, all and trained, on the ranks of one model. `largest_layer`: parameters
    that ZeRO-3 has whole at a time. `compute_bytes`: of one number of the arithmetic."""

    all: int
    trained: int
    largest_layer: int
    compute_bytes: int


@dataclass(frozen=True)
class States:
    """Bytes on each rank's device, and in the node's memory for each of its ranks."""

    device: int
    host: int = 0


def training_states(weights: Weights, stage: int, offload: Offload, ranks: int) -> States:
    """Of one rank. Stage 0 is the plain engine: float32 weights, with copies for bfloat16."""
    if stage == 0:
        return States(_plain(weights, ranks))
    optimizer = MASTER * weights.trained / ranks
    held = _sharded(weights, stage, ranks)
    if offload == "none":
        return States(round(held + optimizer))
    if offload == "optimizer":
        held -= weights.compute_bytes * weights.trained / ranks if stage == 2 else 0
        return States(round(held), round(optimizer * HOST_BUFFERS))
    everything = optimizer + weights.compute_bytes * weights.all / ranks
    return States(round(_gathered(weights)), round(everything * HOST_BUFFERS))


def _plain(weights: Weights, ranks: int) -> int:
    """Autocast keeps a bfloat16 copy of each trained weight through a forward pass; with several
    ranks DDP exchanges gradients in buckets of the same size again. What isn't trained is held in
    the arithmetic's dtype."""
    frozen = weights.compute_bytes * (weights.all - weights.trained)
    copies = weights.compute_bytes if weights.compute_bytes < FLOAT32 else 0
    buckets = FLOAT32 if ranks > 1 else 0
    return frozen + (FLOAT32 + FLOAT32 + MOMENTS + copies + buckets) * weights.trained


def _sharded(weights: Weights, stage: int, ranks: int) -> float:
    """Weights and gradients in the arithmetic's dtype: 1 cuts neither, 2 gradients, 3 both (and
    turns each gradient to float32 as it comes)."""
    size = weights.compute_bytes
    bucket = size * min(REDUCE_BUCKET, weights.trained)
    if stage == 1:
        return size * (weights.all + weights.trained) + bucket
    if stage == 2:
        return size * (weights.all + weights.trained / ranks) + bucket
    return size * weights.all / ranks + _gathered(weights)


def _gathered(weights: Weights) -> int:
    """The layer that is computed, and its gradient, whole."""
    return 2 * weights.compute_bytes * weights.largest_layer
