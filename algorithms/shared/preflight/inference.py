"""The memory that evaluating or generating takes of each device.

Weights once, and for each token of each sequence the keys and values of every layer: 2·L·h numbers
(Pope et al., 2022, https://arxiv.org/abs/2211.05102, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.shape import shape_of
from algorithms.shared.preflight.states import DTYPE_BYTES, FLOAT32
from algorithms.shared.preflight.training import CUDA_BYTES, PROCESS_BYTES, Estimate


@dataclass(frozen=True)
class Inference:
    """`sequences` at once, of `length` tokens, prompt and answer together; `dtype`: the weights'
    while they compute."""

    sequences: int = 8
    length: int = 1024
    dtype: str = "bfloat16"
    tensor_parallel: int = 1


def estimate_inference(model: ModelFacts, inference: Inference, hardware: Hardware) -> Estimate:
    """Each rank has the whole model, or its part of it with tensor parallelism."""
    shape, size = shape_of(model), DTYPE_BYTES.get(inference.dtype, FLOAT32)
    tokens = inference.sequences * inference.length
    cache = 2 * shape.layers * shape.key_value_width * size * tokens
    logits = inference.sequences * shape.vocabulary * 2 * FLOAT32
    return Estimate(
        states=model.parameter_count * size // inference.tensor_parallel,
        activations=(cache + logits) // inference.tensor_parallel,
        base=CUDA_BYTES if hardware.gpus_per_node else PROCESS_BYTES,
    )
