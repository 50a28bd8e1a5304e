"""A few real training steps, and what they took: `python peak_program.py CONFIG` (JSON: `model`, a
configuration; `rows`, `length`, `checkpointing`, `dtype`). Prints the parameters and, in bytes, the
process' memory before there was a model and at its peak."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from algorithms.shared.models.base import LoadedModel
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.plain import PlainEngine
from tests.algorithms.engine_program import NextToken

STEPS = 2


def main(asked: dict[str, Any]) -> None:
    """AdamW's moments come with the first step, so the second one has everything."""
    before = peak_bytes()
    auto: Any = AutoModelForCausalLM
    network = auto.from_config(AutoConfig.for_model(**asked["model"]))
    if asked["checkpointing"]:
        network.gradient_checkpointing_enable({"use_reentrant": False})
    network.train()
    parameters = TrainingParameters(dtype=asked["dtype"])
    model = LoadedModel(network, None, NextToken(), torch.float32)
    engine = PlainEngine(model, parameters, Ranks(0, 1, torch.device("cpu")))
    for _ in range(STEPS):
        tokens = torch.randint(network.config.vocab_size, (asked["rows"], asked["length"]))
        engine.backward(model.task, {"input_ids": tokens}, 1e-3, last=True)
        engine.step(1e-4, clip=1.0)
    count = sum(weight.numel() for weight in network.parameters())
    print(json.dumps({"parameters": count, "before": before, "peak": peak_bytes()}))


def peak_bytes() -> int:
    """Of this process, so far; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
