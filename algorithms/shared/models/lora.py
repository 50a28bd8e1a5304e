"""Low-rank adapters (Hu et al. 2021): two small matrices beside each frozen one are trained.

What is published is always a whole model, the adapters merged into it: an asset is used by people
who can't fetch its base. The adapter alone may be kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from peft.tuners.lora import LoraLayer

from algorithms.shared.failures import BadParameter, UnsupportedModel
from algorithms.shared.tasks.base import TaskName

ADAPTER = "default"  # peft's name for the only one
PREFIX = "base_model.model."  # of every weight of the wrapped network
WITH_NEW_HEADS: tuple[TaskName, ...] = (
    "sequence-classification",
    "token-classification",
    "question-answering",
)
ALL_LINEAR = "all-linear"  # every linear layer but the output


@dataclass(frozen=True)
class LoraSettings:
    """`alpha / rank` scales the adapters; `targets`: layers by the end of their name, () for all
    linear ones."""

    rank: int
    alpha: int
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    seed: int = 0


def with_adapters(network: Any, task: TaskName, settings: LoraSettings) -> Any:
    """The network with adapters, of which alone (and of a classifier's head) weights are trained.

    It computes what the bare network does, until it is trained. Raises BadParameter for targets
    that it doesn't have, UnsupportedModel for a type that peft can't wrap.
    """
    torch.manual_seed(settings.seed)
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets) or ALL_LINEAR,
        modules_to_save=_heads(network) if task in WITH_NEW_HEADS else None,
    )
    try:
        adapted = peft.get_peft_model(network, config)
    except ValueError as error:
        if settings.targets:
            raise BadParameter(f"Parameter loraTargets: {error}") from error
        raise UnsupportedModel(f"LoRA: {type(network).__name__}: {error}") from error
    _refuse_not_linear(adapted)
    return adapted


def _refuse_not_linear(network: Any) -> None:
    """peft adapts embeddings and convolutions too, which can't be merged by one product."""
    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer) and not _is_linear(layer):
            raise BadParameter(
                f"Parameter loraTargets: {name.removeprefix(PREFIX)} is no linear layer; name "
                "linear ones, or leave loraTargets out."
            )


def _is_linear(layer: LoraLayer) -> bool:
    down: Any = layer.lora_A
    return ADAPTER in down and bool(down[ADAPTER].weight.dim() == 2)


def merged_weights(network: Any, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The bare network's weights: each frozen one plus its adapter's product, in float32.

    `weights`: every one of the wrapped network, whole, by the names in its state_dict.
    """
    layers = {n: m for n, m in network.named_modules() if isinstance(m, LoraLayer)}
    merged: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        bare = _bare_name(name)
        if bare:
            layer, _, kind = name.rpartition(".base_layer.")
            adapted = kind == "weight" and layer in layers
            merged[bare] = _sum(weight, layers[layer], layer, weights) if adapted else weight
    return merged


def save_adapter(network: Any, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    """adapter_model.safetensors and adapter_config.json, as peft loads them onto the base.

    Its targets are a set, whose order would change from process to process; the base's folder says
    nothing anywhere else; and the card that peft writes is an empty form.
    """
    settings = network.peft_config[ADAPTER]
    settings.target_modules = sorted(settings.target_modules)
    settings.base_model_name_or_path = ""
    network.save_pretrained(folder, state_dict=dict(weights), selected_adapters=[ADAPTER])
    (folder / "README.md").unlink()


def _heads(network: Any) -> list[str]:
    """What stands beside the base model and has weights: a classifier's output layers."""
    beside = {n: m for n, m in network.named_children() if n != network.base_model_prefix}
    return [name for name, module in beside.items() if any(True for _ in module.parameters())]


def _bare_name(name: str) -> str:
    """Empty for an adapter's weight, and for the copy of a head from before training."""
    if ".lora_" in name or ".original_module." in name:
        return ""
    for part in (".base_layer", f".modules_to_save.{ADAPTER}"):
        name = name.replace(part, "")
    return name.removeprefix(PREFIX)


def _sum(
    frozen: torch.Tensor, layer: LoraLayer, name: str, weights: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """W + scale * B A; [out, in], but for a layer that holds its transpose (GPT-2's Conv1D)."""
    down, up = (weights[f"{name}.{part}.{ADAPTER}.weight"] for part in ("lora_A", "lora_B"))
    change = (up.float() @ down.float()) * layer.scaling[ADAPTER]
    transposed = bool(getattr(layer, "fan_in_fan_out", False))
    merged: torch.Tensor = frozen.float() + (change.T if transposed else change)
    return merged
