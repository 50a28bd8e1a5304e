"""Packing: documents end to end in one stream of tokens, cut into blocks of equal length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch

from algorithms.shared.language_model import LanguageModel
from algorithms.shared.scoring import IGNORED


def stream_of(model: LanguageModel, texts: Sequence[str]) -> list[int]:
    """`<begin> text <end> <begin> text <end> …`; one token between where both are the same."""
    begin, end = model.first_token, model.end_token
    before = [] if begin is None else [begin]
    after = [] if end is None or end == begin else [end]
    return [token for ids in model.tokens(list(texts)) for token in before + ids + after]


def pack(stream: Sequence[int], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets, [blocks, length]; each token but the first is a target exactly once.

    `stream` has two tokens at least. The last block is filled up with inputs 0 whose targets are
    IGNORED: to the right of every real token, where a causal model can't see them.
    """
    count = -(-(len(stream) - 1) // length)
    inputs = torch.zeros(count * length, dtype=torch.long)
    targets = torch.full((count * length,), IGNORED, dtype=torch.long)
    inputs[: len(stream) - 1] = torch.tensor(stream[:-1])
    targets[: len(stream) - 1] = torch.tensor(stream[1:])
    return inputs.view(count, length), targets.view(count, length)


def row_order(blocks: int, seed: int) -> Iterator[int]:
    """Without end: every block once an epoch, each epoch shuffled anew; the same on every rank."""
    for epoch in itertools.count():
        generator = torch.Generator().manual_seed(seed + epoch)
        yield from torch.randperm(blocks, generator=generator).tolist()
