"""The memory that one training run takes of each device."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.shared.preflight.activations import kept_a_token, loss_a_token
from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.shape import Shape, shape_of
from algorithms.shared.preflight.states import (
    DTYPE_BYTES,
    FLOAT32,
    Offload,
    Weights,
    training_states,
)

CUDA_BYTES = 800_000_000  # context, cuBLAS' workspace and NCCL's buffers; unmeasured here
PROCESS_BYTES = 600_000_000  # a Python process with torch and transformers


@dataclass(frozen=True)
class Training:
    """What decides a run's memory. `rows`: of a step, for each part that the data is cut into;
    `length`: tokens a row; `micro_batch`: rows computed at once, 0: to be chosen; `zero` None:
    to be chosen; `trained`: share of the weights (LoRA: far below 1); `dtype`: the arithmetic's."""

    rows: int = 8
    length: int = 512
    micro_batch: int = 0
    zero: int | None = None
    offload: Offload = "none"
    checkpointing: bool = False
    trained: float = 1.0
    dtype: str = "bfloat16"
    tensor_parallel: int = 1


@dataclass(frozen=True)
class Estimate:
    """Bytes of one device (on CPUs: of one process); `host`: of the node's memory beside it."""

    states: int  # weights, gradients, optimiser
    activations: int
    base: int
    host: int = 0

    @property
    def device(self) -> int:
        """All of it."""
        return self.states + self.activations + self.base


def estimate_training(
    model: ModelFacts, training: Training, hardware: Hardware, stage: int, micro_batch: int
) -> Estimate:
    """With this stage and so many rows at once. Unmeasured on GPUs."""
    shape, size = shape_of(model), DTYPE_BYTES.get(training.dtype, FLOAT32)
    ranks = data_ranks(training, hardware)
    weights = weights_of(model, shape, training)
    states = training_states(weights, stage, training.offload, ranks)
    tokens = micro_batch * training.length
    kept = kept_a_token(shape, size, training.checkpointing, training.length)
    each = kept + loss_a_token(shape, size)
    return Estimate(
        states=states.device,
        activations=tokens * each // training.tensor_parallel,
        base=CUDA_BYTES if hardware.gpus_per_node else PROCESS_BYTES,
        host=states.host,
    )


def data_ranks(training: Training, hardware: Hardware) -> int:
    """Over how many ranks the data, and with ZeRO the weights, are cut."""
    world = hardware.nodes * hardware.processes_per_node
    return max(1, world // training.tensor_parallel)


def weights_of(model: ModelFacts, shape: Shape, training: Training) -> Weights:
    """Of one rank among those that compute a model together."""
    here = model.parameter_count // training.tensor_parallel
    embedding = min(shape.vocabulary * shape.width, model.parameter_count)
    layer = (model.parameter_count - embedding) // shape.layers
    return Weights(
        all=here,
        trained=round(here * training.trained),
        largest_layer=max(embedding, layer) // training.tensor_parallel,
        compute_bytes=DTYPE_BYTES.get(training.dtype, FLOAT32),
    )


def memory_of_device(hardware: Hardware) -> int:
    """Bytes; a process's share of the node where there are no GPUs. 0: unknown."""
    if hardware.gpus_per_node:
        return hardware.gpu_memory_bytes
    return hardware.node_memory_bytes // max(1, hardware.processes_per_node)
