"""Drawing tokens so that a text depends on seed, prompt and sample alone, not on its batch.

transformers draws all rows of a batch from one generator, so that a row's text would change with
its neighbours. Here each row has uniform numbers of its own, one a token, and takes the token in
whose part of the cumulated chances the number falls (inverse transform sampling). The numbers are
made on the CPU, so a GPU draws with the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from algorithms.generate.batches import Row
from algorithms.generate.parameters import GenerateParameters

NEVER = -float("inf")


def processors(rows: Sequence[Row], wanted: GenerateParameters, padding: torch.Tensor) -> Any:
    """What changes the logits, in this order: penalty, temperature, top-k, top-p, the draw.

    padding [rows, prompt length], true where a prompt is padded; without columns for a decoder that
    starts anew.
    """
    chain: Any = LogitsProcessorList()
    if wanted.repetition_penalty != 1:
        chain.append(RepetitionPenalty(wanted.repetition_penalty, padding))
    if not wanted.samples:
        return chain
    chain.append(TemperatureLogitsWarper(wanted.temperature))
    if wanted.top_k:
        chain.append(TopKLogitsWarper(wanted.top_k))
    if wanted.top_p < 1:
        chain.append(TopPLogitsWarper(wanted.top_p))
    chain.append(Draw(uniforms(rows, wanted), padding.device))
    return chain


def uniforms(rows: Sequence[Row], wanted: GenerateParameters) -> torch.Tensor:
    """Numbers in [0, 1), float64 [rows, new tokens]: PCG64 seeded by seed, prompt and sample."""
    made = [
        np.random.Generator(np.random.PCG64([wanted.seed, row.prompt, row.sample])).random(
            wanted.max_new_tokens
        )
        for row in rows
    ]
    return torch.from_numpy(np.stack(made))


def draw(scores: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The token of each row, [rows, 1], by logits [rows, vocabulary] and numbers [rows, 1]."""
    cumulated = torch.softmax(scores.double(), dim=-1).cumsum(dim=-1)
    everything = cumulated[:, -1:]
    chosen = torch.searchsorted(cumulated, numbers * everything, right=True)
    last_possible = (cumulated < everything).sum(dim=-1, keepdim=True)
    return torch.minimum(chosen, last_possible)


class Draw(LogitsProcessor):
    """Leaves the drawn token alone, so that the likeliest one is it. For one batch only."""

    def __init__(self, numbers: torch.Tensor, device: torch.device) -> None:
        self._numbers = numbers.to(device)
        self._step = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        numbers = self._numbers[:, self._step : self._step + 1]
        self._step += 1
        return torch.full_like(scores, NEVER).scatter_(1, draw(scores, numbers), 0.0)


class RepetitionPenalty(LogitsProcessor):
    """Of Keskar et al. 2019 (CTRL), https://arxiv.org/abs/1909.05858; padding counts for nothing.

    The logits of tokens already there are divided by it, or multiplied where they are negative.
    """

    def __init__(self, penalty: float, padding: torch.Tensor) -> None:
        self._penalty = penalty
        self._padding = padding

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        padding = self._padding.repeat_interleave(len(input_ids) // len(self._padding), dim=0)
        seen = input_ids.clone()
        prompt = seen[:, : padding.shape[1]]
        seen[:, : padding.shape[1]] = torch.where(padding, input_ids[:, -1:], prompt)
        found = scores.gather(1, seen)
        lowered = torch.where(found < 0, found * self._penalty, found / self._penalty)
        return scores.scatter(1, seen, lowered)
