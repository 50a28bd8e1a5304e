"""The formulas against the memory that real training takes, on CPU: each run a process of its own,
its own resident memory at its peak less what it had before there was a model.

Measured with glibc returning what is freed; left as it is, its heap takes up to half as much again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.preflight.training import Training, estimate_training
from tests.algorithms.preflight.cases import CPU

pytestmark = pytest.mark.models
TOLERANCE = 0.25
SMALL = {"vocab_size": 4000}
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 4,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    **SMALL,
}
GPTJ = {
    "model_type": "gptj",
    "n_layer": 4,
    "n_embd": 512,
    "n_head": 8,
    "rotary_dim": 32,
    "activation_function": "gelu_new",
    **SMALL,
}


@pytest.mark.parametrize(
    ("config", "rows", "checkpointing"),
    [
        pytest.param(LLAMA, 6, True, id="llama, checkpointing"),
        pytest.param(GPTJ, 6, False, id="gptj"),
    ],
)
def test_training_takes_what_is_estimated(
    config: dict[str, Any], rows: int, checkpointing: bool
) -> None:
    asked = {"rows": rows, "length": 192, "checkpointing": checkpointing, "dtype": "float32"}
    measured = _measure({"model": config, **asked})
    model = ModelFacts(config["model_type"], measured["parameters"], "float32", config)
    training = Training(rows=rows, length=192, checkpointing=checkpointing, dtype="float32", zero=0)
    estimate = estimate_training(model, training, CPU, stage=0, micro_batch=rows)
    taken = measured["peak"] - measured["before"]
    assert estimate.states + estimate.activations == pytest.approx(taken, rel=TOLERANCE)
    assert measured["before"] <= 1.5 * estimate.base


def _measure(asked: dict[str, Any]) -> dict[str, int]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
    program = [sys.executable, "-m", "tests.algorithms.preflight.peak_program", json.dumps(asked)]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    measured: dict[str, int] = json.loads(ended.stdout.splitlines()[-1])
    return measured
