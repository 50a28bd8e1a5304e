"""A rank's part of a ZeRO run on disk, without pickle, and the whole weights on rank 0.

DeepSpeed's own checkpoints are pickles. What a rank can't make anew is little: its part of the
float32 master weights and of Adam's two moments, all flat, and the buffers of the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from algorithms.shared.training.rank_files import fill, read_rank_file, write_rank_file
from algorithms.shared.training.zero_config import ZeroSettings

MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # as torch.optim.AdamW names them


def save(optimizer: Any, network: Any, settings: ZeroSettings, folder: Path) -> None:
    """Writes zero-rank-N.safetensors."""
    buffers = ((name, buffer.clone()) for name, buffer in _buffers(network))  # some are views
    tensors = chain(_optimizer_tensors(optimizer, settings), buffers)
    write_rank_file(_file(folder), tensors, _facts(settings))


def load(optimizer: Any, network: Any, settings: ZeroSettings, folder: Path) -> None:
    """Raises CheckpointMismatch."""
    saved = read_rank_file(_file(folder), _facts(settings))
    for index, master in enumerate(_masters(optimizer, settings)):
        fill(master, saved, f"master.{index}")
        if f"exp_avg.{index}" in saved:
            optimizer.optimizer.state[master] = _adam_state(saved, index, master)
    for name, buffer in _buffers(network):
        fill(buffer, saved, name)
    _refresh_weights(optimizer, settings)


def gather(network: Any) -> dict[str, torch.Tensor] | None:
    """By the names of `state_dict`, on the CPU of rank 0; a tied weight is one tensor."""
    first = dist.get_rank() == 0
    whole: dict[int, torch.Tensor] = {}
    for weight in network.parameters():
        tensor = _whole(weight)
        if first:
            whole[id(weight)] = tensor.detach().to("cpu", copy=True)
    if not first:
        return None
    return {
        name: whole[id(value)] if id(value) in whole else value.detach().cpu()
        for name, value in network.state_dict(keep_vars=True).items()
    }


def _whole(weight: torch.nn.Parameter) -> torch.Tensor:
    """Trained weights from their float32 masters: the lower precision's copy has lost digits."""
    if weight.requires_grad:
        fragments = importlib.import_module("deepspeed.utils")
        master: torch.Tensor = fragments.safe_get_full_fp32_param(weight)
        return master
    if not hasattr(weight, "ds_id"):
        return weight
    zero = importlib.import_module("deepspeed.runtime.zero")
    with zero.GatheredParameters([weight]):
        return weight.detach().clone()


def _file(folder: Path) -> Path:
    return folder / f"zero-rank-{dist.get_rank()}.safetensors"


def _facts(settings: ZeroSettings) -> dict[str, object]:
    """What must be the same again: the parts are cut by it."""
    return {
        "zero": settings.stage,
        "ranks": dist.get_world_size(),
        "arithmetic": str(settings.dtype).removeprefix("torch."),
    }


def _masters(optimizer: Any, settings: ZeroSettings) -> list[torch.Tensor]:
    """This rank's flat float32 parts, which are what the inner AdamW updates."""
    stage3 = settings.stage == 3
    name = "fp32_partitioned_groups_flat" if stage3 else "single_partition_of_fp32_groups"
    return list(getattr(optimizer, name))


def _optimizer_tensors(
    optimizer: Any, settings: ZeroSettings
) -> Iterator[tuple[str, torch.Tensor]]:
    """Before the first step there are no moments."""
    for index, master in enumerate(_masters(optimizer, settings)):
        yield f"master.{index}", master
        state = optimizer.optimizer.state.get(master, {})
        for name in MOMENTS:
            if name in state:
                yield f"{name}.{index}", state[name]


def _buffers(network: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for name, buffer in network.named_buffers():
        yield f"buffer.{name}", buffer


def _adam_state(
    saved: dict[str, torch.Tensor], index: int, master: torch.Tensor
) -> dict[str, torch.Tensor]:
    return {name: saved[f"{name}.{index}"].to(master.device) for name in MOMENTS}


def _refresh_weights(optimizer: Any, settings: ZeroSettings) -> None:
    """The weights that the forward uses are made from the masters anew."""
    if settings.stage != 3:
        optimizer.update_lp_params()
        return
    optimizer.checkpoint_event_prologue()
    for index in range(len(optimizer.fp32_partitioned_groups_flat)):
        optimizer._reassign_or_swap_out_partitioned_parameters(index)
    optimizer.checkpoint_event_epilogue()
