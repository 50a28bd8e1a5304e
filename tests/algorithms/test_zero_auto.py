"""`zero: auto` made definite, by the memory that there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.zero import choose_zero
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.zero_auto import (
    folder_facts,
    node_memory,
    own_hardware,
    sentence,
    settled,
    training_of,
    with_choice,
)
from algorithms.train.parameters import TrainParameters
from tests.algorithms.engine_runs import tiny_llama

pytestmark = pytest.mark.models
GPT_J = ModelFacts("gptj", 6_050_882_784, "bfloat16")
CPU = torch.device("cpu")
ALONE = Ranks(0, 1, CPU)


def gpus(count: int, gigabytes: int = 80) -> Hardware:
    return Hardware(1, count, count, gigabytes * 10**9, 10**12)


def decided(parameters: TrainingParameters, hardware: Hardware) -> TrainingParameters:
    training = training_of(parameters, GPT_J, 1024, hardware)
    return with_choice(parameters, choose_zero(GPT_J, training, hardware), training.rows)


def test_a_small_model_on_a_large_machine_needs_no_zero(capfd: pytest.CaptureFixture[str]) -> None:
    small = ModelFacts("llama", 20_000, "float32")
    chosen = settled(TrainingParameters(), small, 512, ALONE)
    assert (chosen.zero, chosen.offload) == (0, "none")
    assert "zero auto: no ZeRO. llama with 0.02 million" in capfd.readouterr().out


def test_what_one_gpu_cannot_hold_is_cut_over_eight() -> None:
    chosen = decided(TrainingParameters(batch_size=64, dtype="bfloat16"), gpus(8))
    assert chosen.zero in (1, 2, 3)
    assert chosen.offload == "none"


def test_what_one_small_gpu_cannot_hold_goes_to_the_nodes_memory() -> None:
    chosen = decided(TrainingParameters(batch_size=4, dtype="bfloat16"), gpus(1, gigabytes=24))
    assert chosen.zero in (2, 3)
    assert chosen.offload != "none"


def test_rows_at_once_become_parts_of_a_step() -> None:
    """64 rows of 1024 tokens a rank are too many at once."""
    chosen = decided(TrainingParameters(batch_size=512, dtype="bfloat16"), gpus(8))
    assert 1 < chosen.gradient_accumulation <= 64
    assert 64 % chosen.gradient_accumulation == 0


def test_accumulation_that_was_asked_for_is_kept_or_raised() -> None:
    parameters = TrainingParameters(batch_size=16, gradient_accumulation=4)
    assert training_of(parameters, GPT_J, 64, gpus(2)).rows == 2
    assert decided(parameters, gpus(2)).gradient_accumulation in (4, 8)


def test_adapters_alone_need_less() -> None:
    whole = TrainParameters(batch_size=8, dtype="bfloat16")
    adapted = TrainParameters(batch_size=8, dtype="bfloat16", lora_rank=8)
    assert decided(whole, gpus(1)).offload != "none"
    assert (decided(adapted, gpus(1)).zero, decided(adapted, gpus(1)).offload) == (0, "none")


def test_a_stage_that_was_asked_for_stays(capfd: pytest.CaptureFixture[str]) -> None:
    parameters = TrainingParameters(zero=2)
    assert settled(parameters, GPT_J, 512, ALONE) is parameters
    assert capfd.readouterr().out == ""


def test_tensor_parallelism_goes_without_zero() -> None:
    assert settled(TrainingParameters(tensor_parallel=2), GPT_J, 512, ALONE).zero == 0


def test_what_does_not_fit_is_said() -> None:
    tiny = gpus(1, gigabytes=1)
    choice = choose_zero(GPT_J, training_of(TrainingParameters(), GPT_J, 512, tiny), tiny)
    assert "which is more than there is." in sentence(choice)


def test_facts_of_a_folder_need_no_weights_read(tmp_path: Path) -> None:
    facts = folder_facts(tiny_llama(tmp_path / "llama"))
    assert (facts.model_type, facts.dtype) == ("llama", "float32")
    assert facts.parameter_count == 17_120  # tied embeddings are stored, and counted, once
    assert facts.config["hidden_size"] == 32


def test_hardware_is_what_torchrun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    hardware = own_hardware(CPU)
    assert (hardware.nodes, hardware.processes_per_node, hardware.gpus_per_node) == (2, 8, 0)


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    assert node_memory(limit) == 1_000_000
    limit.write_text("max\n")
    assert node_memory(limit) == node_memory(tmp_path / "no such file") > 1_000_000
