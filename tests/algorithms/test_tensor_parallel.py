"""Tensor parallelism, two ranks that compute one model: the numbers of a single process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from algorithms.shared.failures import BadParameter, UnsupportedModel
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.tensor_parallel import TensorParallelFactory
from tests.algorithms.engine_program import VOCABULARY, NextToken, generated, with_lora
from tests.algorithms.engine_runs import Result, alone, run_ranks, tiny_llama, untrained_losses

pytestmark = pytest.mark.models
STEPS, CLIP = 4, 0.5
TYPES = ("llama", "qwen3", "gpt_neox")  # tied embeddings; norms within heads; biases
TOLERANCE = 2e-6  # relative: float32 sums in another order
CPU = torch.device("cpu")
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "llama": tiny_llama(folder / "llama"),
        "qwen3": _saved(
            Qwen3ForCausalLM,
            Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=8),
            folder / "qwen3",
        ),
        "gpt_neox": _saved(GPTNeoXForCausalLM, GPTNeoXConfig(**SHAPE), folder / "gpt_neox"),
    }


def _saved(make: Any, config: Any, folder: Path) -> Path:
    torch.manual_seed(0)
    make(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ended(
    models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """Every scenario by its name, all in one run."""
    folder = tmp_path_factory.mktemp("tensor-parallel")
    scenarios = _scenarios(models, folder)
    ran = run_ranks([{"tensor_parallel": 2, **one} for one in scenarios.values()], folder)
    return dict(zip(scenarios, ran, strict=True)) | {"folder": folder}


def _scenarios(models: Mapping[str, Path], folder: Path) -> dict[str, dict[str, Any]]:
    wanted: dict[str, dict[str, Any]] = {}
    for name in TYPES:
        (folder / name).mkdir()
        way = {"model": str(models[name]), "folder": str(folder / name), "clip": CLIP, "parts": 2}
        wanted[name] = {
            **way,
            "steps": [0, STEPS],
            "save_after": 2,
            "weights": str(folder / f"{name}.safetensors"),
            "generate": True,
        }
        wanted[f"{name} rest"] = {**way, "steps": [2, STEPS], "resume": True}
    llama = {"model": str(models["llama"]), "steps": [0, STEPS], "clip": CLIP}
    wanted["bfloat16"] = {**llama, "dtype": "bfloat16"}
    wanted["poisoned"] = {**llama, "steps": [0, 2], "poison": True}
    wanted["other model"] = {**llama, "resume": True, "folder": str(folder / "qwen3")}
    return wanted


@pytest.mark.parametrize("name", TYPES)
def test_losses_and_norms_are_those_of_one_process(
    name: str, models: Mapping[str, Path], ended: Mapping[str, Any]
) -> None:
    """In two parts each: what transformers sums itself must not be summed twice."""
    single = alone(models[name], STEPS, CLIP)
    assert ended[name]["losses"] == pytest.approx(single["losses"], rel=TOLERANCE)
    assert ended[name]["norms"] == pytest.approx(single["norms"], rel=TOLERANCE)
    _same_weights(load_file(ended["folder"] / f"{name}.safetensors"), single)


def _same_weights(weights: Mapping[str, torch.Tensor], single: Result) -> None:
    assert weights.keys() == single["weights"].keys()
    for name, weight in single["weights"].items():
        # a key's bias has no gradient but rounding, of which Adam makes steps of full length
        atol = 1e-3 if name.endswith("query_key_value.bias") else 1e-5
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("name", TYPES)
def test_a_resumed_run_goes_on_as_if_nothing_had_been(name: str, ended: Mapping[str, Any]) -> None:
    assert ended[f"{name} rest"]["losses"] == ended[name]["losses"][2:]
    assert ended[f"{name} rest"]["norms"] == ended[name]["norms"][2:]
    assert ended[f"{name} rest"]["held_out"] == ended[name]["held_out"]


def test_each_rank_saves_about_half(ended: Mapping[str, Any]) -> None:
    whole = sum(
        weight.numel() * 3  # and Adam's two moments
        for name, weight in load_file(ended["folder"] / "llama.safetensors").items()
        if name != "lm_head.weight"  # tied
    )
    files = sorted((ended["folder"] / "llama").iterdir())
    counts = [sum(tensor.numel() for tensor in load_file(file).values()) for file in files]
    assert [file.name for file in files] == [
        "tensor-parallel-rank-0.safetensors",
        "tensor-parallel-rank-1.safetensors",
    ]
    assert max(counts) < whole * 0.55


def test_bfloat16_stays_near_float32(models: Mapping[str, Path], ended: Mapping[str, Any]) -> None:
    single = alone(models["llama"], STEPS, CLIP)
    assert ended["bfloat16"]["losses"] == pytest.approx(single["losses"], rel=3e-3)
    assert ended["bfloat16"]["losses"] != pytest.approx(single["losses"], rel=TOLERANCE)


def test_a_gradient_that_is_no_number_changes_nothing(
    models: Mapping[str, Path], ended: Mapping[str, Any]
) -> None:
    assert ended["poisoned"]["norms"] == [None, None]
    untrained = untrained_losses(models["llama"], 2)
    assert ended["poisoned"]["losses"] == pytest.approx(untrained, rel=TOLERANCE)


@pytest.mark.parametrize("name", TYPES)
def test_it_generates_what_the_whole_model_does(
    name: str, models: Mapping[str, Path], ended: Mapping[str, Any]
) -> None:
    load: Any = AutoModelForCausalLM.from_pretrained
    whole = load(models[name])
    whole.load_state_dict(load_file(ended["folder"] / f"{name}.safetensors"))
    assert ended[name]["generated"] == generated(whole)


def test_another_models_checkpoint_is_refused(ended: Mapping[str, Any]) -> None:
    assert ended["other model"]["failure"] == "CheckpointMismatch"
    assert "of another model" in ended["other model"]["message"]


def test_all_ranks_compute_one_model() -> None:
    with pytest.raises(BadParameter, match=r"tensorParallel: 2, but the job has 4 ranks"):
        TensorParallelFactory(TrainingParameters(tensor_parallel=2), Ranks(0, 4, CPU))


def test_zero_besides_is_refused() -> None:
    with pytest.raises(BadParameter, match="both cut the weights"):
        TensorParallelFactory(TrainingParameters(tensor_parallel=2, zero=3), Ranks(0, 2, CPU))


def test_adapters_are_refused(models: Mapping[str, Path]) -> None:
    load: Any = AutoModelForCausalLM.from_pretrained
    adapted = with_lora(load(models["llama"]))
    factory = TensorParallelFactory(TrainingParameters(tensor_parallel=2), Ranks(0, 2, CPU))
    with pytest.raises(UnsupportedModel, match="train without loraRank"):
        factory.engine(LoadedModel(adapted, None, NextToken(), torch.float32))


def test_a_model_that_nothing_was_cut_of_is_refused() -> None:
    """Were it not, each rank would hold and train all of it, and nobody would know."""
    whole: Any = torch.nn.Linear(2, 2)
    whole.config = GPT2Config()
    factory = TensorParallelFactory(TrainingParameters(tensor_parallel=2), Ranks(0, 2, CPU))
    with pytest.raises(UnsupportedModel, match="type gpt2 cuts nothing"):
        factory.engine(LoadedModel(whole, None, NextToken(), torch.float32))
