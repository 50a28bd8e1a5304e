"""What an evaluation can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from algorithms.shared.parameters import Parameters, Seed
from algorithms.shared.tasks.names import TaskName


class EvaluateParameters(Parameters, frozen=True, kw_only=True):
    """Samples are drawn by the seed, unless prompts are given."""

    task: Annotated[
        Literal["auto"] | TaskName,
        Meta(description="auto: what the models' config.json says that they were made for."),
    ] = "auto"
    samples: Annotated[
        int, Meta(ge=1, description="Random samples of the text; all of them if it has fewer.")
    ] = 10
    prompts: Annotated[
        list[str], Meta(description="Texts of one's own to score, in place of random samples.")
    ] = []
    columns: Annotated[
        dict[str, str],
        Meta(description='The task\'s columns by the data\'s names: {"text": "body"}.'),
    ] = {}
    block_length: (
        Annotated[
            int,
            Meta(ge=2, description="Tokens at once; null: 1024, or what the model takes if less."),
        ]
        | None
    ) = None
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(description="Of weights and arithmetic; auto: bfloat16 on a GPU, float32 on a CPU."),
    ] = "auto"
    seed: Seed = 0
