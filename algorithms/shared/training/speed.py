"""Figures of the progress line: how fast, and how much of the hardware is used."""

from __future__ import annotations

from collections import deque

import torch

from algorithms.shared.ranks import Ranks
from algorithms.shared.training.records import StepRecord

WINDOW = 20  # steps that a speed is averaged over


class Figures:
    """The latest, from one step to the next."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._steps: deque[tuple[int, float]] = deque(maxlen=WINDOW)

    def of(self, record: StepRecord, seconds: float) -> dict[str, float]:
        """By their names in the line."""
        self._steps.append((record.tokens, seconds))
        return {
            "loss": record.loss,
            "tokensPerSecond": self._tokens_per_second(),
            "learningRate": record.learning_rate,
            "gradientNorm": record.gradient_norm,
            **self._memory(),
        }

    def _tokens_per_second(self) -> float:
        """Of all ranks together."""
        seconds = sum(seconds for _, seconds in self._steps)
        return sum(tokens for tokens, _ in self._steps) / max(seconds, 1e-9)

    def _memory(self) -> dict[str, float]:
        """The most that this rank's GPU had allocated, in GiB."""
        if self._ranks.device.type != "cuda":
            return {}
        return {"gpuMemoryGiB": torch.cuda.max_memory_allocated(self._ranks.device) / 2**30}
