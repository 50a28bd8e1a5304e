"""Generation with models of many kinds: what is batched says what it says alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from algorithms.generate.batches import Row, batches, by_length
from algorithms.generate.decoding import Decoder
from algorithms.generate.padding import ignores_padding
from algorithms.generate.parameters import GenerateParameters
from algorithms.generate.program import rows_of
from algorithms.generate.prompts import Given, encode
from algorithms.shared.failures import OutOfMemory, UnsupportedModel
from examples.story_data.tiny import byte_tokenizer
from tests.algorithms.test_generate import UNEVEN, lines, loaded

pytestmark = pytest.mark.models
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 258}
BOTH = {"d_model": 32, "vocab_size": 258, "decoder_start_token_id": 0}
ENDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
KINDS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 258},  # absolute positions
    "gpt_neox": {**SHAPE, "intermediate_size": 64},  # rotary positions
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 258},  # ALiBi
    "opt": {**SHAPE, "ffn_dim": 64, "word_embed_proj_dim": 32},  # positions from the mask
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 258},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 258},  # reads padding
    "t5": {**BOTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    "bart": {
        **BOTH,
        **{f"{part}_layers": 2 for part in ("encoder", "decoder")},
        **{f"{part}_attention_heads": 4 for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 64 for part in ("encoder", "decoder")},
    },
}


def written(kind: str, folder: Path, auto_class: Any, **settings: Any) -> Path:
    """A random model; its weights larger than at the start of training, so that it has opinions."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **{**KINDS.get(kind, SHAPE), **settings})
    network = auto_class.from_config(config)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.mul_(4)
    network.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_says_what_each_prompt_says_alone(kind: str, tmp_path: Path) -> None:
    two_parts = kind in ("t5", "bart")
    auto_class = (
        transformers.AutoModelForSeq2SeqLM if two_parts else transformers.AutoModelForCausalLM
    )
    model = loaded(written(kind, tmp_path, auto_class, **ENDS))
    assert model.network.config.is_encoder_decoder == two_parts
    for wanted in ({"temperature": 0.0}, {"seed": 5, "top_k": 40}):
        together = lines(model, UNEVEN, max_new_tokens=6, **wanted)
        one_by_one = lines(model, UNEVEN, max_new_tokens=6, batch_tokens=1, **wanted)
        assert together == one_by_one
    assert len({line["text"] for line in together}) > 2


@pytest.mark.parametrize(("kind", "expected"), [("gpt2", True), ("rwkv", False)])
def test_a_model_that_reads_padding_is_found_out(kind: str, expected: bool, tmp_path: Path) -> None:
    model = loaded(written(kind, tmp_path, transformers.AutoModelForCausalLM, **ENDS))
    wanted = GenerateParameters()
    rows = rows_of(encode(model, [Given("", text) for text in UNEVEN], wanted), wanted)
    assert ignores_padding(Decoder(model, wanted), rows, torch.float32) is expected


@pytest.mark.parametrize("kind", ["masked-lm", "sequence-classification"])
def test_a_model_without_a_head_that_generates_is_refused(kind: str, tmp_path: Path) -> None:
    heads = {
        "masked-lm": transformers.AutoModelForMaskedLM,
        "sequence-classification": transformers.AutoModelForSequenceClassification,
    }
    folder = written("bert", tmp_path, heads[kind])
    with pytest.raises(UnsupportedModel, match=f"one for {kind}: it doesn't generate text"):
        loaded(folder)


class Small:
    """A network on a device whose memory holds `rows` rows."""

    def __init__(self, network: Any, rows: int) -> None:
        self._network = network
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def eval(self) -> Any:
        return self

    def generate(self, ids: torch.Tensor, **more: Any) -> Any:
        if len(ids) > self._rows:
            raise torch.OutOfMemoryError("out of memory")
        return self._network.generate(ids, **more)


def test_a_batch_too_large_for_the_memory_is_halved(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, wanted = loaded(tiny_model), GenerateParameters(max_new_tokens=3)
    rows = rows_of(encode(model, [Given("", text) for text in UNEVEN], wanted), wanted)
    whole = Decoder(model, wanted).generate(rows)
    object.__setattr__(model, "network", Small(model.network, 2))
    assert Decoder(model, wanted).generate(rows) == whole
    assert "5 rows at once are too many" in capsys.readouterr().out
    object.__setattr__(model, "network", Small(model.network, 0))
    with pytest.raises(OutOfMemory, match="lower maxNewTokens"):
        Decoder(model, wanted).generate(rows)


def test_batches_are_filled_up_to_the_most_tokens() -> None:
    rows = by_length([Row(number, 0, [0] * length) for number, length in enumerate([2, 9, 3, 9])])
    cut = list(batches(rows, new_tokens=1, most_tokens=20, width=1, padded=True))
    assert [[len(row.tokens) for row in batch] for batch in cut] == [[9, 9], [3, 2]]
    wide = list(batches(rows, new_tokens=1, most_tokens=20, width=2, padded=True))
    assert [[len(row.tokens) for row in batch] for batch in wide] == [[9], [9], [3, 2]]
    alike = list(batches(rows, new_tokens=1, most_tokens=99, width=1, padded=False))
    assert [[len(row.tokens) for row in batch] for batch in alike] == [[9, 9], [3], [2]]
