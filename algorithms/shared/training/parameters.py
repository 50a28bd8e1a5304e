"""What every training run can be told; `train` and `pretrain` add what is their own."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from algorithms.shared.data.base import Packing
from algorithms.shared.failures import BadParameter
from algorithms.shared.parameters import Parameters, Seed
from algorithms.shared.tasks.names import TaskName

DEFAULT_STEPS = 500
LARGEST_BATCH = 2**16  # a step's rows are in memory at once, and a step is never interrupted

# How a run is computed, not what comes out: these may change between two attempts of one run.
FREE_TO_CHANGE = frozenset(
    {"checkpointSteps", "checkpointMinutes", "gradientCheckpointing", "gradientAccumulation"}
)


class TrainingParameters(Parameters, frozen=True, kw_only=True):
    """The defaults suit fine-tuning. Memory: 16 bytes a weight, and what the batch takes."""

    task: Annotated[
        Literal["auto", TaskName],
        Meta(description="auto: what the model's config.json says that it was made for."),
    ] = "auto"
    steps: (
        Annotated[
            int, Meta(ge=1, description=f"Optimiser steps; null: {DEFAULT_STEPS}, or epochs.")
        ]
        | None
    ) = None
    epochs: (
        Annotated[float, Meta(gt=0, description="Passes over the data, in place of steps.")] | None
    ) = None
    batch_size: Annotated[
        int,
        Meta(
            ge=1,
            le=LARGEST_BATCH,
            description="Examples a step, over all ranks and accumulation together.",
        ),
    ] = 8
    block_length: (
        Annotated[
            int,
            Meta(
                ge=2, description="Tokens an example; null: 512, or what the model takes if less."
            ),
        ]
        | None
    ) = None
    packing: Annotated[
        Packing,
        Meta(description="pack: texts end to end in blocks; pad: one a row; auto: by the task."),
    ] = "auto"
    columns: Annotated[
        dict[str, str],
        Meta(description='The task\'s columns by the data\'s names: {"text": "body"}.'),
    ] = {}
    learning_rate: Annotated[float, Meta(gt=0, le=1, description="At its peak.")] = 5e-5
    schedule: Annotated[
        Literal["cosine", "linear", "constant"],
        Meta(description="After warm-up; cosine and linear fall to 0."),
    ] = "cosine"
    warmup_fraction: Annotated[
        float, Meta(ge=0, lt=1, description="Of the steps; the rate climbs from 0.")
    ] = 0.05
    weight_decay: Annotated[
        float, Meta(ge=0, le=1, description="AdamW's, on matrices; not on norms and biases.")
    ] = 0.01
    gradient_clip: Annotated[
        float, Meta(ge=0, description="Largest norm of the gradient; 0: no limit.")
    ] = 1.0
    gradient_accumulation: Annotated[
        int, Meta(ge=1, description="Parts a step's batch is computed in, to save memory.")
    ] = 1
    gradient_checkpointing: Annotated[
        bool, Meta(description="Compute activations twice, to save memory.")
    ] = False
    zero: Annotated[
        Literal["auto", 0, 1, 2, 3],
        Meta(description="DeepSpeed's ZeRO stage: what the ranks share out. auto: what fits."),
    ] = "auto"
    offload: Annotated[
        Literal["none", "optimizer", "all"],
        Meta(description="With ZeRO: what is kept in the node's memory, not the GPU's."),
    ] = "none"
    tensor_parallel: Annotated[
        int, Meta(ge=1, description="Ranks that compute one model together, where it has a plan.")
    ] = 1
    checkpoint_steps: (
        Annotated[int, Meta(ge=1, description="Steps between checkpoints; null: by time alone.")]
        | None
    ) = None
    checkpoint_minutes: Annotated[
        float, Meta(gt=0, description="The longest time between checkpoints.")
    ] = 10.0
    held_out_samples: Annotated[
        int,
        Meta(ge=0, description="Samples, a tenth at most, that are only scored, before and after."),
    ] = 10
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(
            description="Of the arithmetic; auto: bfloat16 on a GPU, float32 on a CPU. The weights "
            "that are trained are always float32, the model is saved in its input's dtype."
        ),
    ] = "auto"
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.steps is not None and self.epochs is not None:
            raise BadParameter("Parameters steps and epochs exclude each other: give one.")


P = TypeVar("P", bound=TrainingParameters)


def binding(parameters: TrainingParameters) -> dict[str, object]:
    """Those that the result depends on, as JSON takes them: a checkpoint is of these alone."""
    every: dict[str, object] = msgspec.json.decode(msgspec.json.encode(parameters))
    return {name: value for name, value in every.items() if name not in FREE_TO_CHANGE}


def check_batch(parameters: TrainingParameters, data_ranks: int) -> None:
    """Raises BadParameter for a batch too small for an example in every part of every rank."""
    least = data_ranks * parameters.gradient_accumulation
    if parameters.batch_size < least:
        raise BadParameter(
            f"Parameter batchSize: {parameters.batch_size} is less than {least}, one example for "
            f"each of {data_ranks} ranks x {parameters.gradient_accumulation} "
            "gradientAccumulation."
        )


def step_count(parameters: TrainingParameters, examples: int) -> int:
    """As wanted, or as many as the epochs take."""
    if parameters.epochs is not None:
        return max(1, math.ceil(parameters.epochs * examples / parameters.batch_size))
    return parameters.steps or DEFAULT_STEPS
