"""Random choices (dropout, layer drop) as a function of seed, step and rank: nothing of a
generator's state has to be kept to go on exactly as if there had been no interruption."""

from __future__ import annotations

import random

import numpy
import torch


def seed_step(seed: int, step: int, rank: int) -> None:
    """Every generator of this process, the GPU's too."""
    mixed = numpy.random.SeedSequence([seed, step, rank]).generate_state(2)
    value = int(mixed[0]) << 31 | int(mixed[1]) >> 1
    torch.manual_seed(value)
    random.seed(value)
    numpy.random.seed(int(mixed[0]))
