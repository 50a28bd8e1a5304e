"""What DeepSpeed is told: ZeRO's stage and offload as its configuration. Pure, without deepspeed.

ZeRO: Rajbhandari et al., 2020, https://arxiv.org/abs/1910.02054
Keys: https://www.deepspeed.ai/docs/config-json/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from algorithms.shared.failures import BadParameter

Offload = Literal["none", "optimizer", "all"]
STAGES = (1, 2, 3)
REDUCE_BUCKET = 50_000_000  # elements exchanged at once: a buffer of this size lies on each GPU
GATHER_BUCKET = 200_000_000  # elements


@dataclass(frozen=True)
class ZeroSettings:
    """One way to spread a model over ranks. Stage 1 cuts the optimiser's state, 2 the gradients
    too, 3 the weights too. `offload` "optimizer": that state lies in the node's memory; "all": the
    weights as well (stage 3). Raises BadParameter if these don't go together."""

    stage: int
    offload: Offload = "none"
    dtype: torch.dtype = torch.float32  # of the arithmetic; master weights are float32
    weight_decay: float = 0.0
    persistent_below: int = 10_000  # elements: smaller weights stay whole on each rank in stage 3

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise BadParameter(f"Parameter zero: {self.stage} is not one of 0, 1, 2, 3, auto.")
        if self.offload == "all" and self.stage != 3:
            raise BadParameter(
                f"Parameter offload: all needs zero 3, not {self.stage}: only stage 3 can keep "
                "weights in the node's memory. Set zero to 3, or offload to optimizer."
            )


def deepspeed_config(settings: ZeroSettings, device: torch.device) -> dict[str, Any]:
    """Batch sizes stand for nothing here: the loop cuts the batches and says where a step ends."""
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 0.0,  # DeepSpeed's default is 1.0; the loop says it with each step
        "zero_force_ds_cpu_optimizer": False,  # that one needs a compiler
        "bf16": {"enabled": settings.dtype is torch.bfloat16, "check_grad_overflow": True},
        "zero_optimization": {
            "stage": settings.stage,
            "reduce_bucket_size": REDUCE_BUCKET,
            "allgather_bucket_size": GATHER_BUCKET,
            "stage3_param_persistence_threshold": settings.persistent_below,
            **_offload(settings.offload, device),
        },
    }


def _offload(offload: Offload, device: torch.device) -> dict[str, Any]:
    """Pinned memory is what a GPU copies from without a detour."""
    if offload == "none":
        return {}
    place = {"device": "cpu", "pin_memory": device.type == "cuda"}
    wanted = {"offload_optimizer": place}
    return wanted | {"offload_param": place} if offload == "all" else wanted
