"""Bad input ends with a reason, a sentence and an exit code of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.algorithms.conftest import Run

pytestmark = pytest.mark.models


def lose_weights(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = model / "model.safetensors"
    kept = {name: weight for name, weight in load_file(file).items() if "layers.1" not in name}
    save_file(kept, file, metadata={"format": "pt"})


def lose_tokenizer(model: Path) -> None:
    for file in model.glob("tokenizer*"):
        file.unlink()


def pickle_weights(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def cut_weights(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])


def lead_outside(model: Path) -> None:
    """To a stranger's weights: the index of the shards names a file elsewhere."""
    from safetensors import safe_open

    outside = model.parent / "outside.safetensors"
    (model / "model.safetensors").rename(outside)
    (model / "decoy.safetensors").write_bytes(outside.read_bytes())
    with safe_open(outside, "pt") as stored:
        shards = dict.fromkeys(stored.keys(), "../outside.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def name_a_base(model: Path) -> None:
    """An adapter, whose base may be any folder of the machine."""
    base = {"peft_type": "LORA", "base_model_name_or_path": "/elsewhere"}
    (model / "adapter_config.json").write_text(json.dumps(base))


def nest_config(model: Path) -> None:
    (model / "config.json").write_text('{"a":' + "[" * 100_000)


def nest_settings(model: Path) -> None:
    (model / "tokenizer_config.json").write_text('{"a":' + "[" * 100_000)


def strange_type(model: Path) -> None:
    (model / "config.json").write_text(json.dumps({"model_type": "abacus"}))


@pytest.mark.parametrize(
    "damage",
    [
        lose_weights,
        lose_tokenizer,
        pickle_weights,
        cut_weights,
        lead_outside,
        name_a_base,
        nest_config,
        nest_settings,
        strange_type,
    ],
)
def test_a_folder_that_holds_no_whole_model_is_a_bad_model(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    model = tmp_path / "model-in"
    shutil.copytree(tiny_model, model)
    damage(model)
    ended = run("train", {}, model=model, data=corpus, outputs=tmp_path / "out")
    assert (ended.code, ended.failure.reason) == (14, "BadModel")
    assert str(model) in ended.failure.message
    assert ended.failure.user_error


def test_an_input_that_is_missing_is_named(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    ended = run("train", {}, model=tiny_model, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (11, "MissingInput")
    assert "The input text is missing (inputs given: model)" in ended.failure.message


def test_a_folder_without_a_model_is_no_model(run: Run, corpus: Path, tmp_path: Path) -> None:
    ended = run("train", {}, model=corpus.parent, data=corpus, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (11, "MissingInput")
    assert "has no config.json at its top" in ended.failure.message


def test_empty_and_malformed_text_end_differently(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    empty, malformed = tmp_path / "empty.txt", tmp_path / "malformed.jsonl"
    empty.write_text("\n")
    malformed.write_text('{"text": "ok"}\n{"text"\n')
    ended = run("train", {}, model=tiny_model, data=empty, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (12, "EmptyDataset")
    ended = run("evaluate", {}, model=tiny_model, data=malformed, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (13, "MalformedDataset")
    assert "malformed.jsonl, line 2" in ended.failure.message


def test_a_fault_of_the_algorithm_is_not_the_users(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loss.csv").mkdir()  # the outputs can't be written
    options = {"model": tiny_model, "data": corpus, "outputs": tmp_path}
    with pytest.raises(IsADirectoryError):
        run("train", {"steps": 1, "blockLength": 8}, **options)
    assert '"reason": "AlgorithmError"' in capfd.readouterr().out
