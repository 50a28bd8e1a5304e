"""Activations, inference and speed, by their formulas' own published cases."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.shared.preflight.activations import kept_a_token
from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.preflight.flops import mfu, peak_flops, training_flops_per_token
from algorithms.shared.preflight.gpus import gpu_memory_bytes
from algorithms.shared.preflight.inference import Inference, estimate_inference
from algorithms.shared.preflight.shape import shape_of
from algorithms.shared.preflight.training import Training, estimate_training
from tests.algorithms.preflight.cases import A100S, GB, GPT2, GPTJ, ONE_A100, of_size


def test_a_layer_keeps_34_bytes_a_token_and_width() -> None:
    """Korthikanti et al., 2022, equation 2, without attention's matrix."""
    shape = shape_of(GPT2)
    assert kept_a_token(shape, 2, checkpointing=False, length=512) == 34 * 768 * 12
    assert kept_a_token(shape, 2, checkpointing=True, length=512) == (2 * 12 + 2 * 34) * 768


def test_keys_and_values_of_a_served_model() -> None:
    """Llama 2 70B shares keys among heads: 2·80 layers·8 heads·128·2 bytes = 0.33 MB a token."""
    config = {"num_hidden_layers": 80, "hidden_size": 8192, "num_attention_heads": 64}
    model = ModelFacts("llama", 69 * GB, "bfloat16", {**config, "num_key_value_heads": 8})
    one, two = (
        estimate_inference(model, Inference(sequences=1, length=length), A100S).activations
        for length in (1000, 2000)
    )
    assert two - one == 327_680 * 1000


@pytest.mark.parametrize(
    ("model", "tokens_per_second", "gpus", "peak", "published"),
    [
        # PaLM 540B on 6144 TPU v4, table 3 of Chowdhery et al., 2022
        (("palm", 540.35, 118, 48, 256, 18432), 238_300, 6144, 275e12, 0.462),
        # Megatron-Turing NLG 530B on 2240 A100, the same table
        (("mt-nlg", 530, 105, 128, 160, 20480), 65_430, 2240, None, 0.302),
    ],
    ids=["palm", "mt-nlg"],
)
def test_published_utilisation(
    model: tuple[str, float, int, int, int, int],
    tokens_per_second: float,
    gpus: int,
    peak: float | None,
    published: float,
) -> None:
    name, billions, layers, heads, head, width = model
    config = {"n_layer": layers, "n_head": heads, "head_dim": head, "hidden_size": width}
    facts = ModelFacts(name, round(billions * GB), "bfloat16", config)
    peak = peak or peak_flops("NVIDIA A100-SXM4-80GB")
    assert peak is not None
    used = mfu(tokens_per_second / gpus, training_flops_per_token(facts, 2048), peak)
    assert used == pytest.approx(published, abs=0.002)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("Radeon", None),
    ],
)
def test_peaks_are_those_of_the_data_sheets(name: str, peak: float | None) -> None:
    assert peak_flops(name) == peak
    assert peak_flops(name, "float32") is None


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("NVIDIA-A100-SXM4-80GB", 80),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 40),
        ("Tesla-V100-SXM2-16GB", 16),
        ("NVIDIA-H100-80GB-HBM3", 80),
        ("NVIDIA-A10", 0),
        ("", 0),
    ],
)
def test_a_gpu_s_name_tells_its_memory(name: str, gigabytes: int) -> None:
    assert gpu_memory_bytes(name) == gigabytes * GB


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"n_layer": "28", "n_embd": 4096},
        {"n_layer": True, "n_embd": 4096},
        {"n_layer": -1, "n_embd": 10**30},
        {"text_config": "none", "num_hidden_layers": None},
    ],
)
def test_a_configuration_that_says_nothing_is_guessed(config: dict[str, object]) -> None:
    """About GPT-J's own: 28 layers of width 4096."""
    shape = shape_of(dataclasses.replace(GPTJ, config=config))
    assert shape.is_guess
    assert 24 <= shape.layers <= 40
    assert 3500 <= shape.width <= 4600


@given(
    st.floats(0.001, 1000),
    st.integers(1, 64),
    st.sampled_from([64, 512, 4096]),
    st.sampled_from([0, 1, 2, 3]),
    st.booleans(),
)
def test_more_work_never_takes_less(
    billions: float, rows: int, length: int, stage: int, checkpointing: bool
) -> None:
    training = Training(length=length, checkpointing=checkpointing)
    model = of_size(billions)
    now = estimate_training(model, training, ONE_A100, stage, rows)
    wider = estimate_training(model, training, ONE_A100, stage, rows + 1)
    longer = estimate_training(
        model, dataclasses.replace(training, length=2 * length), ONE_A100, stage, rows
    )
    larger = estimate_training(of_size(2 * billions), training, ONE_A100, stage, rows)
    assert now.device < min(wider.device, longer.device, larger.device)
