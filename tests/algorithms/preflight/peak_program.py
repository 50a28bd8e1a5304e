"""A few real training steps, and what they took: `python peak_program.py CONFIG` (JSON: `model`, a
configuration; `rows`, `length`, `checkpointing`, `dtype`). Prints the parameters and, in bytes, the
process' memory before there was a model and at its peak.

Memory of its own: pages of the libraries' files come and go as the kernel likes."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
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
    before = own_bytes()
    peak = Peak()
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
    print(json.dumps({"parameters": count, "before": before, "peak": peak.bytes()}))


class Peak:
    """The most memory of the process' own since this was made, looked at every millisecond."""

    def __init__(self) -> None:
        self._most, self._over = own_bytes(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def bytes(self) -> int:
        """So far; nothing is looked at afterwards."""
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(0.001):
            self._most = max(self._most, own_bytes())


def own_bytes() -> int:
    """Resident pages that no file backs; see proc(5), statm."""
    pages = Path("/proc/self/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
