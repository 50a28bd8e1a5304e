"""What a training run can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from algorithms.shared.parameters import Parameters, Seed


class TrainParameters(Parameters, frozen=True, kw_only=True):
    """The defaults suit fine-tuning. Memory: 16 bytes a weight, and what the batch takes."""

    steps: Annotated[int, Meta(ge=1, description="Optimiser steps.")] = 500
    batch_size: Annotated[
        int, Meta(ge=1, description="Blocks a step, over all ranks and accumulation together.")
    ] = 8
    block_length: (
        Annotated[
            int,
            Meta(ge=2, description="Tokens a block; null: 512, or what the model takes if less."),
        ]
        | None
    ) = None
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
