"""Low-rank adapters: nothing changes before training, and merging keeps what was learned."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch

from algorithms.shared.failures import BadParameter
from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.models.lora import (
    LoraSettings,
    merged_weights,
    save_adapter,
    with_adapters,
)
from algorithms.shared.tasks.base import TaskName
from tests.algorithms.models.conftest import Saved

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning"),
]

IDS = torch.tensor([[20, 21, 22, 23, 24]])
SETTINGS = LoraSettings(rank=4, alpha=8, seed=1)


@pytest.mark.parametrize(
    ("model_type", "task"),
    [
        ("llama", "causal-lm"),
        ("gpt2", "causal-lm"),  # its layers hold transposed matrices
        ("bert", "token-classification"),  # its head is trained whole
        ("t5", "seq2seq-lm"),
    ],
)
def test_merged_weights_say_what_the_adapters_say(
    saved: Saved, tmp_path: Path, model_type: str, task: TaskName
) -> None:
    folder = saved(model_type, task)
    bare = load(LoadRequest(folder, task)).network
    more = {"decoder_input_ids": IDS} if task == "seq2seq-lm" else {}
    before = bare(IDS, **more).logits
    network = with_adapters(bare, task, SETTINGS).eval()
    assert torch.allclose(network(IDS, **more).logits, before, atol=1e-6)

    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.02)
    for _ in range(3):
        torch.autograd.backward(network(IDS, **more).logits.square().mean())
        optimizer.step()
        optimizer.zero_grad()
    after = network(IDS, **more).logits
    assert not torch.allclose(after, before, atol=1e-3)

    merged = merged_weights(network, network.state_dict())
    fresh = load(LoadRequest(folder, task)).network
    fresh.load_state_dict(merged)  # strict: the names are the bare network's
    assert torch.allclose(fresh(IDS, **more).logits, after, atol=1e-4)

    save_adapter(network, network.state_dict(), tmp_path)
    base = load(LoadRequest(folder, task)).network
    again = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    assert torch.allclose(again(IDS, **more).logits, after, atol=1e-6)


def test_few_weights_are_trained(saved: Saved) -> None:
    bare = load(LoadRequest(saved("llama", "causal-lm"))).network
    network = with_adapters(bare, "causal-lm", LoraSettings(1, 1, targets=("q_proj",)))
    names = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert names
    assert all("q_proj.lora_" in name for name in names)


def test_a_target_that_is_not_there_is_a_parameters_fault(saved: Saved) -> None:
    bare = load(LoadRequest(saved("llama", "causal-lm"))).network
    with pytest.raises(BadParameter, match="wibble"):
        with_adapters(bare, "causal-lm", LoraSettings(1, 1, targets=("wibble",)))


def test_a_target_that_cannot_be_merged_is_refused_before_it_is_trained(saved: Saved) -> None:
    bare = load(LoadRequest(saved("llama", "causal-lm"))).network
    with pytest.raises(BadParameter, match=r"embed_tokens is no linear layer"):
        with_adapters(bare, "causal-lm", LoraSettings(1, 1, targets=("q_proj", "embed_tokens")))


def test_a_saved_adapter_says_the_same_from_every_process_and_no_path(
    saved: Saved, tmp_path: Path
) -> None:
    bare = load(LoadRequest(saved("llama", "causal-lm"))).network
    network = with_adapters(bare, "causal-lm", SETTINGS)
    save_adapter(network, network.state_dict(), tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert said["target_modules"] == sorted(said["target_modules"])
    assert said["base_model_name_or_path"] == ""
    assert {file.name for file in tmp_path.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
