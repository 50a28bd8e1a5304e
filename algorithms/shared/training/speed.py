"""Figures of the progress line: how fast, and how much of the hardware is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch

from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.preflight.flops import mfu, peak_flops, training_flops_per_token
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.records import StepRecord

WINDOW = 20  # steps that a speed is averaged over
Used = Callable[[float], dict[str, float]]  # tokens a second of all ranks → figures


class Figures:
    """The latest, from one step to the next. `used`: how much of the GPUs, if there are any."""

    def __init__(self, used: Used | None = None) -> None:
        self._used = used
        self._steps: deque[tuple[int, float]] = deque(maxlen=WINDOW)

    def of(self, record: StepRecord, seconds: float) -> dict[str, float]:
        """By their names in the line."""
        self._steps.append((record.tokens, seconds))
        tokens_per_second = self._tokens_per_second()
        return {
            "loss": record.loss,
            "tokensPerSecond": tokens_per_second,
            "learningRate": record.learning_rate,
            "gradientNorm": record.gradient_norm,
            **(self._used(tokens_per_second) if self._used else {}),
        }

    def _tokens_per_second(self) -> float:
        """Of all ranks together."""
        seconds = sum(seconds for _, seconds in self._steps)
        return sum(tokens for tokens, _ in self._steps) / max(seconds, 1e-9)


def gpu_use(network: Any, facts: ModelFacts, length: int, ranks: Ranks) -> Used | None:
    """`mfu` (0 to 1, where the GPU's peak is known) and `gpuMemoryGiB`, the most that this rank's
    GPU had allocated; None on CPUs."""
    if ranks.device.type != "cuda":
        return None
    peak = peak_flops(torch.cuda.get_device_name(ranks.device))
    flops = training_flops_per_token(facts, length, trained_fraction(network))

    def used(tokens_per_second: float) -> dict[str, float]:
        memory = torch.cuda.max_memory_allocated(ranks.device) / 2**30
        figures = {"gpuMemoryGiB": memory}
        own = tokens_per_second / ranks.world_size
        return figures | ({"mfu": mfu(own, flops, peak)} if peak else {})

    return used


def trained_fraction(network: Any) -> float:
    """Of its weights; ZeRO-3 leaves each weight's size in `ds_numel`."""
    sizes = [(getattr(w, "ds_numel", w.numel()), w.requires_grad) for w in network.parameters()]
    trained_size = sum(size for size, trained in sizes if trained)
    return float(trained_size / sum(size for size, _ in sizes))
