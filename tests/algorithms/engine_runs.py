"""Runs engine_program.py under torchrun, and what a single process would have got."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from tests.algorithms.engine_program import (
    LEARNING_RATE,
    VOCABULARY,
    WEIGHT_DECAY,
    NextToken,
    rows_of,
)

PROGRAM = Path(__file__).with_name("engine_program.py")
REPOSITORY = Path(__file__).parents[2]

Result = Mapping[str, Any]


def tiny_llama(folder: Path) -> Path:
    """17,120 random weights, input and output embeddings tied."""
    torch.manual_seed(0)
    make: Any = LlamaForCausalLM
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
    )
    make(config).save_pretrained(folder)
    return folder


def run_ranks(scenarios: Sequence[Result], folder: Path, ranks: int = 2) -> list[dict[str, Any]]:
    """The scenarios' results, in their order."""
    plan, results = folder / "plan.json", folder / "results.json"
    plan.write_text(json.dumps(scenarios))
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    done = subprocess.run(
        [*launcher, str(PROGRAM), str(plan), str(results)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ended: list[dict[str, Any]] = json.loads(results.read_text())
    return ended


def environment(**more: str) -> dict[str, str]:
    """One thread a rank."""
    path = f"{REPOSITORY}:{REPOSITORY / 'operator'}"
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **more}


@torch.no_grad()
def untrained_losses(model: Path, steps: int) -> list[float]:
    """Each step's loss as it is with the first weights."""
    load: Any = AutoModelForCausalLM.from_pretrained
    network, task = load(model, dtype=torch.float32), NextToken()
    batches = [{"input_ids": rows_of(step)} for step in range(steps)]
    return [
        float(task.loss_sum(task.outputs(network, batch), batch)) / task.targets(batch)
        for batch in batches
    ]


def alone(model: Path, steps: int, clip: float) -> Result:
    """A hand-written loop over whole batches: one process, no engine."""
    load: Any = AutoModelForCausalLM.from_pretrained
    network = load(model, dtype=torch.float32).train()
    decayed = [weight for weight in network.parameters() if weight.dim() > 1]
    others = [weight for weight in network.parameters() if weight.dim() <= 1]
    groups = [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE)
    task, losses, norms = NextToken(), [], []
    for step in range(steps):
        batch = {"input_ids": rows_of(step)}
        loss = task.loss_sum(task.outputs(network, batch), batch) / task.targets(batch)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip or math.inf)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        norms.append(float(norm))
    return {"losses": losses, "norms": norms, "weights": network.state_dict()}
