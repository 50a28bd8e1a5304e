"""What safetensors headers and config.json tell, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from jobkit.errors import UserFault
from jobkit.manifest import ModelFacts
from jobkit.models import inspect_model, refuse_pickles
from tests.jobkit.plans import write
from tests.jobkit.tiny_model import TINY, TINY_PARAMETERS, safetensors

GOOD = TINY["model.safetensors"]


def inspect(folder: Path, files: Mapping[str, bytes]) -> ModelFacts:
    for name, content in files.items():
        write(folder / name, content)
    return inspect_model(folder, list(files))


def test_counts_parameters_and_finds_the_main_dtype(tmp_path: Path) -> None:
    facts = inspect(tmp_path, TINY)
    assert facts == ModelFacts(model_type="gpt2", parameter_count=TINY_PARAMETERS, dtype="bfloat16")


def test_adds_up_shards(tmp_path: Path) -> None:
    shard = safetensors({"a": ("F32", [3], 12)})
    files = {"config.json": TINY["config.json"], "m-1.safetensors": shard, "m-2.safetensors": shard}
    assert inspect(tmp_path, files).parameter_count == 6


@pytest.mark.models
def test_agrees_with_the_safetensors_library(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save

    raw = save({"a": torch.zeros(5, 7, dtype=torch.float16), "b": torch.zeros(2)})
    facts = inspect(tmp_path, {"config.json": TINY["config.json"], "m.safetensors": raw})
    assert (facts.parameter_count, facts.dtype) == (37, "float16")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (b"", "cut off"),
        (b"abc", "cut off"),
        (GOOD[:-1], "its header says"),
        (GOOD + b"x", "its header says"),
        ((2**62).to_bytes(8, "little") + b"{}", "cut off"),
        ((2).to_bytes(8, "little") + b"[]", "malformed"),
        ((4).to_bytes(8, "little") + b"nope", "malformed"),
        (safetensors({"a": ("F32", [1], 4)}).replace(b"[0, 4]", b"[1, 4]"), "gaps"),
        (safetensors({"a": ("F32", [1], 4)}).replace(b"[0, 4]", b"[0,-4]"), "gaps"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, weights: bytes, why: str) -> None:
    with pytest.raises(UserFault, match=why) as caught:
        inspect(tmp_path, {**TINY, "model.safetensors": weights})
    assert caught.value.reason == "ModelInvalid"


@pytest.mark.parametrize(
    ("config", "why"), [(b"{", "no JSON"), (b"[]", "no JSON"), (b"{}", "model_type")]
)
def test_a_config_that_names_no_model_is_refused(tmp_path: Path, config: bytes, why: str) -> None:
    with pytest.raises(UserFault, match=why):
        inspect(tmp_path, {**TINY, "config.json": config})


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_part_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(UserFault, match=r"config\.json and \.safetensors"):
        inspect(tmp_path, {name: raw for name, raw in TINY.items() if name != missing})


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a/b.PT", "x.pkl", "optimizer.pth"])
def test_pickles_are_refused_by_name(name: str) -> None:
    with pytest.raises(UserFault, match="safetensors"):
        refuse_pickles(["config.json", name])


def test_tokenizer_files_are_no_pickles() -> None:
    refuse_pickles(["tokenizer.json", "vocab.txt", "merges.txt", "tokenizer.model", "README"])
