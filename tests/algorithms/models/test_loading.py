"""Loading: what a folder may hold, which task and head come of it, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import dynamic_module_utils

from algorithms.shared.failures import BadModel, UnsupportedModel, VocabularyMismatch
from algorithms.shared.models.base import LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.models.policy import CODE_VARIABLE, PICKLES_VARIABLE
from tests.algorithms.models.conftest import Saved
from tests.algorithms.models.tokens import byte_tokenizer

pytestmark = pytest.mark.models

RUNS_CODE = 'import pathlib\npathlib.Path("{proof}").touch()\n'


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to / "copy")
    return to / "copy"


def with_config(folder: Path, **fields: object) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))
    return folder


@pytest.mark.parametrize(
    ("model_type", "made_for", "task"),
    [
        ("llama", "causal-lm", "causal-lm"),
        ("bert", "masked-lm", "masked-lm"),
        ("bart", "seq2seq-lm", "seq2seq-lm"),
        ("distilbert", "question-answering", "question-answering"),
    ],
)
def test_auto_is_what_the_architecture_is_for(
    saved: Saved, model_type: str, made_for: str, task: str
) -> None:
    folder = saved(model_type, made_for)  # type: ignore[arg-type]  # a parameter is a plain str
    assert load(LoadRequest(folder)).task.name == task


def test_a_type_without_the_head_is_refused_with_what_it_can_do(saved: Saved) -> None:
    with pytest.raises(UnsupportedModel, match=r"llama can't do masked-lm; .*causal-lm"):
        load(LoadRequest(saved("llama", "causal-lm"), "masked-lm"))


def test_a_type_known_not_to_work_is_refused_with_the_reason(saved: Saved) -> None:
    with pytest.raises(UnsupportedModel, match="sees the tokens that it has to predict"):
        load(LoadRequest(saved("xlnet", "causal-lm"), "causal-lm"))


def test_a_new_head_is_for_training_alone_and_of_the_seed(
    saved: Saved, caplog: pytest.LogCaptureFixture
) -> None:
    folder, task = saved("gpt2", "causal-lm"), "sequence-classification"
    with pytest.raises(BadModel, match="lacks weights: score"):
        load(LoadRequest(folder, task))
    caplog.set_level(logging.INFO)
    request = LoadRequest(folder, task, labels=("a", "b", "c"), new_head=True, seed=3)
    heads = [load(request).network.score.weight for _ in range(2)]
    assert "A new head for sequence-classification, from seed 3: score.weight" in caplog.text
    assert heads[0].shape == (3, 32)
    assert torch.equal(heads[0], heads[1])


def test_a_new_head_stands_on_the_body_that_the_folder_has(saved: Saved) -> None:
    """LlamaForQuestionAnswering alone calls its body `transformer`."""
    folder = saved("llama", "causal-lm")
    network = load(LoadRequest(folder, "question-answering", new_head=True)).network
    stored = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    assert torch.equal(network.transformer.embed_tokens.weight, stored)


def test_missing_weights_of_the_body_are_no_new_head(saved: Saved, tmp_path: Path) -> None:
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadModel, match=r"lacks weights: model\.norm\.weight"):
        load(LoadRequest(folder, new_head=True))


def test_labels_are_the_models_if_the_data_fits_them(saved: Saved) -> None:
    folder, task = saved("bert", "sequence-classification"), "sequence-classification"
    for fitting in (("yes",), ("0", "1")):
        task_as_loaded = load(LoadRequest(folder, task, labels=fitting)).task
        assert task_as_loaded.settings() == {"labels": ["no", "yes"]}
    with pytest.raises(BadModel, match="labels that the model doesn't know"):
        load(LoadRequest(folder, task, labels=("maybe", "no", "yes")))
    wider = LoadRequest(folder, task, labels=("maybe", "no", "yes"), new_head=True)
    model = load(wider)
    assert model.task.settings()["labels"] == ["maybe", "no", "yes"]
    assert model.network.classifier.out_features == 3
    assert model.network.config.id2label[0] == "maybe"


def test_weights_stay_in_their_dtype_unless_another_is_asked_for(
    saved: Saved, tmp_path: Path
) -> None:
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    half = {name: weight.bfloat16() for name, weight in weights.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    asked = load(LoadRequest(folder, dtype=torch.float32))
    assert (asked.network.dtype, asked.stored_dtype) == (torch.float32, torch.bfloat16)
    assert load(LoadRequest(folder)).network.dtype == torch.bfloat16


def test_a_tokenizer_with_more_ids_than_rows_is_refused(saved: Saved, tmp_path: Path) -> None:
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    larger = byte_tokenizer()
    larger.add_tokens(["beginning", "firmament"])
    larger.save_pretrained(folder)
    with pytest.raises(VocabularyMismatch, match=r"ids up to 263, but the model has 262 rows"):
        load(LoadRequest(folder))


def test_a_pickle_is_refused_unless_the_environment_allows_it(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(saved("gpt2", "causal-lm"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    monkeypatch.delenv(PICKLES_VARIABLE, raising=False)
    with pytest.raises(BadModel, match=r"pickle \(pytorch_model\.bin\).*allowPickles"):
        load(LoadRequest(folder))
    monkeypatch.setenv(PICKLES_VARIABLE, "1")
    network = load(LoadRequest(folder)).network
    stored = weights["transformer.wte.weight"]
    assert torch.equal(network.transformer.wte.weight, stored)


class Evil:
    """Unpickled, it would leave a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.proof,)


def test_an_allowed_pickle_still_runs_no_code(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(saved("gpt2", "causal-lm"), tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"transformer.wte.weight": Evil(tmp_path / "proof")}, folder / "pytorch_model.bin")
    monkeypatch.setenv(PICKLES_VARIABLE, "1")
    with pytest.raises(BadModel, match="can't be loaded"):
        load(LoadRequest(folder))
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("model_type", ["llama", "mine"])
def test_code_in_the_folder_is_never_run_unasked(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_type: str
) -> None:
    """A known type is loaded by transformers' own class, an unknown one refused."""
    monkeypatch.delenv(CODE_VARIABLE, raising=False)
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    code = RUNS_CODE.format(proof=tmp_path / "proof")
    (folder / "mine.py").write_text(code)
    classes = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}
    with_config(folder, auto_map=classes, model_type=model_type)
    if model_type == "llama":
        load(LoadRequest(folder))
    else:
        with pytest.raises(BadModel, match=r"Python code of its own.*allowRemoteCode"):
            load(LoadRequest(folder))
    assert not (tmp_path / "proof").exists()


OWN_CODE = """
from transformers import LlamaConfig, LlamaForCausalLM


class Config(LlamaConfig):
    model_type = "mine"


class Model(LlamaForCausalLM):
    config_class = Config
"""


def test_code_in_the_folder_is_run_where_the_environment_allows_it(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path / "modules")])
    monkeypatch.setenv(CODE_VARIABLE, "1")
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    (folder / "mine.py").write_text(OWN_CODE)
    classes = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}
    with_config(folder, auto_map=classes, model_type="mine", architectures=["Model"])
    model = load(LoadRequest(folder))
    assert (type(model.network).__name__, model.task.name) == ("Model", "causal-lm")


def test_a_config_that_is_none_says_so(saved: Saved, tmp_path: Path) -> None:
    folder = with_config(copied(saved("llama", "causal-lm"), tmp_path), hidden_size="wide")
    with pytest.raises(BadModel, match=r"The config in .* can't be loaded"):
        load(LoadRequest(folder))


def test_a_folder_without_weights_says_so(saved: Saved, tmp_path: Path) -> None:
    folder = copied(saved("llama", "causal-lm"), tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadModel, match=r"no \*\.safetensors file"):
        load(LoadRequest(folder))


def test_an_encoders_head_for_causal_lm_is_made_causal(saved: Saved, tmp_path: Path) -> None:
    folder = with_config(copied(saved("bert", "causal-lm"), tmp_path), is_decoder=False)
    network = load(LoadRequest(folder, "causal-lm")).network
    ids = torch.tensor([[20, 21, 22, 23]])
    other = torch.tensor([[20, 21, 22, 99]])
    with torch.inference_mode():
        assert torch.equal(network(ids).logits[0, :3], network(other).logits[0, :3])


def test_roberta_takes_two_tokens_fewer_than_it_has_positions(saved: Saved) -> None:
    """It numbers them from behind the padding's id, which is 0 here."""
    model = load(LoadRequest(saved("roberta", "masked-lm")))
    assert model.context == 127
    rows = torch.full((1, model.context), 20)
    assert model.network(rows).logits.shape[1] == 127
    with pytest.raises((IndexError, RuntimeError)):
        model.network(torch.full((1, model.context + 1), 20))
