"""What a generation can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from algorithms.shared.parameters import Parameters, Seed


class GenerateParameters(Parameters, frozen=True, kw_only=True):
    """Sampling applies temperature first, then top-k, then top-p."""

    prompts: Annotated[
        list[str], Meta(description="What to continue; else the input `prompts` is read.")
    ] = []
    max_new_tokens: Annotated[int, Meta(ge=1, description="Per continuation.")] = 100
    temperature: Annotated[
        float, Meta(ge=0, le=100, description="Divides the logits; 0: always the likeliest token.")
    ] = 1.0
    top_k: Annotated[
        int, Meta(ge=0, description="Choose among the k likeliest tokens; 0: among all.")
    ] = 0
    top_p: Annotated[
        float,
        Meta(gt=0, le=1, description="Choose among the fewest tokens of this probability in all."),
    ] = 1.0
    samples_per_prompt: Annotated[int, Meta(ge=1, description="Continuations a prompt.")] = 1
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(description="Of weights and arithmetic; auto: bfloat16 on a GPU, float32 on a CPU."),
    ] = "auto"
    seed: Seed = 0
