"""What a pretraining run can be told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from algorithms.shared.training.parameters import TrainingParameters


class PretrainParameters(TrainingParameters, frozen=True, kw_only=True):
    """The defaults make a GPT-2 of 124 million weights. Memory: 16 bytes a weight, and what the
    batch takes."""

    model_type: Annotated[
        str,
        Meta(description="As transformers calls it: gpt2, gpt_neox, llama, reformer, bert, t5."),
    ] = "gpt2"
    layers: (
        Annotated[int, Meta(ge=1, le=1000, description="Hidden layers; null: the type's default.")]
        | None
    ) = None
    hidden_size: (
        Annotated[int, Meta(ge=1, description="Width; null: the type's default.")] | None
    ) = None
    heads: (
        Annotated[int, Meta(ge=1, description="Attention heads; null: the type's default.")] | None
    ) = None
    context: (
        Annotated[int, Meta(ge=2, description="Tokens at once; null: the type's default.")] | None
    ) = None
    config: Annotated[
        dict[str, Any],
        Meta(description="Any fields of the type's config.json; they come before all the above."),
    ] = {}
    vocabulary_size: Annotated[
        int,
        Meta(ge=300, le=1_000_000, description="Of the tokenizer that is trained on the data."),
    ] = 32_000
    stored_dtype: Annotated[
        Literal["float32", "bfloat16"], Meta(description="In which the model is saved.")
    ] = "float32"
    learning_rate: Annotated[float, Meta(gt=0, le=1, description="At its peak.")] = 3e-4
    weight_decay: Annotated[
        float, Meta(ge=0, le=1, description="AdamW's, on matrices; not on norms and biases.")
    ] = 0.1
