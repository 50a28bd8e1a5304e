"""What a training run can be told."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from algorithms.shared.training.parameters import TrainingParameters


class TrainParameters(TrainingParameters, frozen=True, kw_only=True):
    """The defaults suit fine-tuning. Memory: 16 bytes a weight, and what the batch takes."""

    lora_rank: Annotated[
        int, Meta(ge=0, le=1024, description="Of low-rank adapters; 0: train every weight.")
    ] = 0
    lora_alpha: Annotated[
        int, Meta(ge=0, description="The adapters count loraAlpha / loraRank; 0: twice loraRank.")
    ] = 0
    lora_dropout: Annotated[
        float, Meta(ge=0, lt=1, description="Of what goes into the adapters.")
    ] = 0.0
    lora_targets: Annotated[
        tuple[str, ...], Meta(description="Layers by the end of their names; []: all linear ones.")
    ] = ()
    lora_keep_adapter: Annotated[
        bool, Meta(description="Keep the adapter too, in model/adapter, beside the merged model.")
    ] = False
