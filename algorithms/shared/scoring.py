"""Negative log-likelihood, weighted by tokens: sums in nats over all tokens, divided at the end.

A mean of means would move with the length of the samples and with the number of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from algorithms.shared.language_model import LanguageModel
from algorithms.shared.ranks import Ranks

IGNORED = -100  # a target that counts for nothing: padding


@dataclass(frozen=True)
class Score:
    """Of one text, or of many: `nll` in nats, summed over `tokens` predicted tokens."""

    nll: float
    tokens: int

    @property
    def loss(self) -> float:
        """Nats a token."""
        return self.nll / self.tokens

    @property
    def perplexity(self) -> float:
        """e to the loss. Raises OverflowError above 709 nats a token."""
        return math.exp(self.loss)


def total(scores: Sequence[Score]) -> Score:
    """All tokens of all texts together."""
    return Score(math.fsum(s.nll for s in scores), sum(s.tokens for s in scores))


def nll_sum(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Nats over every target but IGNORED.

    logits [rows, length, vocabulary], targets [rows, length].
    """
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def windows(tokens: Sequence[int], length: int) -> Iterator[tuple[list[int], list[int]]]:
    """Inputs and their targets, `length` at most; each token but the first is a target once."""
    for start in range(0, len(tokens) - 1, length):
        piece = list(tokens[start : start + length + 1])
        yield piece[:-1], piece[1:]


def score_texts(
    model: LanguageModel,
    texts: Sequence[str],
    length: int,
    ranks: Ranks,
    on_scored: Callable[[Sequence[Score]], None] = lambda _scores: None,
) -> list[Score]:
    """One score a text, on every rank; each rank computes its share.

    `on_scored` is told this rank's scores so far.
    """
    model.network.eval()
    mine: list[Score] = []
    for text in ranks.share(texts):
        mine.append(_score_text(model, text, length))
        on_scored(mine)
    return ranks.gather(mine)


@torch.inference_mode()
def _score_text(model: LanguageModel, text: str, length: int) -> Score:
    before = [] if model.first_token is None else [model.first_token]
    [tokens] = model.tokens([text])
    nll, device = 0.0, model.network.device
    for inputs, targets in windows(before + tokens, length):
        logits = model.network(torch.tensor([inputs], device=device)).logits
        nll += float(nll_sum(logits, torch.tensor([targets], device=device)))
    return Score(nll, len(before + tokens) - 1)
