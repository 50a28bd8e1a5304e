"""Generation: temperature, top-k and top-p are really applied, and the seed repeats it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from algorithms.generate.parameters import GenerateParameters
from algorithms.generate.program import continue_prompt
from algorithms.shared.language_model import LanguageModel, load
from algorithms.shared.text import Sample
from tests.algorithms.conftest import Run, command_line, report_of, run_process

pytestmark = pytest.mark.models
PROMPT = Sample("prompt:1", "And God")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LanguageModel:
    return load(tiny_model, torch.device("cpu"), torch.float32)


def texts(model: LanguageModel, **wanted: Any) -> list[str]:
    torch.manual_seed(7)
    parameters = GenerateParameters(**{"max_new_tokens": 12, **wanted})
    return [row["text"] for row in continue_prompt(model, PROMPT, parameters)]


def next_token_chances(model: LanguageModel) -> torch.Tensor:
    tokens = torch.tensor([[0, *model.tokens([PROMPT.text])[0]]])
    with torch.no_grad():
        return torch.softmax(model.network(tokens).logits[0, -1], dim=-1)


def first_tokens(model: LanguageModel, **wanted: Any) -> set[str]:
    """What comes up first in 300 tries."""
    return set(texts(model, max_new_tokens=1, samples_per_prompt=300, **wanted))


def test_top_k_of_one_and_temperature_zero_are_greedy(model: LanguageModel) -> None:
    greedy = texts(model, temperature=0.0)
    assert texts(model, top_k=1, temperature=2.0) == greedy
    assert texts(model, top_p=1e-6, temperature=2.0) == greedy
    assert texts(model) != greedy


def test_top_k_leaves_k_tokens(model: LanguageModel) -> None:
    likeliest = next_token_chances(model).topk(3).indices
    expected = {model.tokenizer.decode([token]) for token in likeliest.tolist()}
    assert first_tokens(model, top_k=3) == expected
    assert len(first_tokens(model)) > 50


def test_top_p_leaves_the_fewest_tokens_of_that_chance(model: LanguageModel) -> None:
    chances, tokens = next_token_chances(model).sort(descending=True)
    needed = int((chances.cumsum(0) < 0.05).sum()) + 1
    allowed = {model.tokenizer.decode([token]) for token in tokens[:needed].tolist()}
    assert first_tokens(model, top_p=0.05) <= allowed
    assert needed > 3


def test_a_low_temperature_sharpens(model: LanguageModel) -> None:
    assert len(first_tokens(model, temperature=0.05)) < len(first_tokens(model)) / 2


def test_the_models_own_settings_change_nothing(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(tiny_model, own)
    (own / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "top_k": 1, "repetition_penalty": 5.0, "max_length": 3})
    )
    wanted = {"prompts": [PROMPT.text], "maxNewTokens": 12, "seed": 7}
    run("generate", wanted, model=own, outputs=tmp_path / "a")
    run("generate", wanted, model=tiny_model, outputs=tmp_path / "b")
    written = [(tmp_path / name / "generations.jsonl").read_text() for name in "ab"]
    assert written[0] == written[1]


def test_rows_say_prompt_text_and_why_it_ended(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "One"}\n{"text": "Two"}\n')
    wanted = {"maxNewTokens": 5, "samplesPerPrompt": 2, "topK": 3}
    ended = run("generate", wanted, model=tiny_model, prompts=file, outputs=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "generations.jsonl").open()]
    assert [(row["id"], row["sample"]) for row in rows] == [
        ("prompts.jsonl:1", 0),
        ("prompts.jsonl:1", 1),
        ("prompts.jsonl:2", 0),
        ("prompts.jsonl:2", 1),
    ]
    assert all(row["tokens"] == 5 or row["finish"] == "end" for row in rows)
    assert report_of(tmp_path)["metrics"]["prompts"] == 2
    assert ended.progress[-1].percent == 100.0


def test_a_prompt_that_leaves_no_room_is_refused(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    wanted = {"prompts": ["x" * 500], "maxNewTokens": 20}
    ended = run("generate", wanted, model=tiny_model, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (10, "BadParameter")
    assert "more than the model's 512" in ended.failure.message


def test_two_ranks_generate_what_one_does(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    wanted = {"prompts": ["One", "Two", "Three"], "maxNewTokens": 8, "seed": 3}
    run("generate", wanted, model=tiny_model, outputs=tmp_path / "one")
    options = {"model": tiny_model, "outputs": tmp_path / "two"}
    assert run_process("generate", command_line(wanted, options), ranks=2).code == 0
    written = [(tmp_path / name / "generations.jsonl").read_text() for name in ("one", "two")]
    assert written[0] == written[1]
