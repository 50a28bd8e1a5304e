"""Generation: temperature, top-k and top-p are really applied, and a batch changes nothing."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from algorithms.generate import told
from algorithms.generate.parameters import GenerateParameters
from algorithms.generate.program import continue_all, load_generator
from algorithms.generate.prompts import Given, encode
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks
from tests.algorithms.conftest import Run, command_line, report_of, run_process, spoiled

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))
PROMPT = "And God"
UNEVEN = ["And", "And God", "And God said, Let there be", "I", "In the beginning God created"]
SETTINGS: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"temperature": 0.0, "repetition_penalty": 1.3},
    {"seed": 3, "top_k": 20, "top_p": 0.9, "samples_per_prompt": 2},
    {"beams": 3, "samples_per_prompt": 2, "repetition_penalty": 1.3},
    {"stop_strings": ["e", "th"], "seed": 1},
]


def loaded(folder: Path) -> LoadedModel:
    return load_generator(folder, GenerateParameters(), ALONE)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LoadedModel:
    return loaded(tiny_model)


def lines(model: LoadedModel, prompts: Sequence[str], **wanted: Any) -> list[dict[str, Any]]:
    parameters = GenerateParameters(**{"max_new_tokens": 12, "seed": 7, **wanted})
    samples = [Given(f"prompt:{number}", text) for number, text in enumerate(prompts, start=1)]
    return continue_all(model, encode(model, samples, parameters), parameters, ALONE)


def texts(model: LoadedModel, prompts: Sequence[str] = (PROMPT,), **wanted: Any) -> list[str]:
    return [line["text"] for line in lines(model, prompts, **wanted)]


def next_token_chances(model: LoadedModel) -> torch.Tensor:
    tokens = torch.tensor([[0, *model.tokenizer(PROMPT)["input_ids"]]])
    with torch.no_grad():
        return torch.softmax(model.network(tokens).logits[0, -1], dim=-1)


def first_tokens(model: LoadedModel, **wanted: Any) -> list[str]:
    """What comes up first in 300 tries."""
    return texts(model, max_new_tokens=1, samples_per_prompt=300, stream=False, **wanted)


@pytest.mark.parametrize("wanted", SETTINGS)
def test_a_batch_says_what_each_prompt_says_alone(
    model: LoadedModel, wanted: dict[str, Any]
) -> None:
    together = lines(model, UNEVEN, **wanted)
    one_by_one = lines(model, UNEVEN, batch_tokens=1, **wanted)
    assert together == one_by_one
    assert [line["prompt"] for line in together] == sorted(
        (line["prompt"] for line in together), key=UNEVEN.index
    )


def test_top_k_of_one_and_temperature_zero_are_greedy(model: LoadedModel) -> None:
    greedy = texts(model, temperature=0.0)
    assert texts(model, top_k=1, temperature=2.0) == greedy
    assert texts(model, top_p=1e-6, temperature=2.0) == greedy
    assert texts(model) != greedy


def test_top_k_leaves_k_tokens(model: LoadedModel) -> None:
    likeliest = next_token_chances(model).topk(3).indices
    expected = {model.tokenizer.decode([token]) for token in likeliest.tolist()}
    assert set(first_tokens(model, top_k=3)) == expected
    assert len(set(first_tokens(model))) > 50


def test_top_p_leaves_the_fewest_tokens_of_that_chance(model: LoadedModel) -> None:
    chances, tokens = next_token_chances(model).sort(descending=True)
    needed = int((chances.cumsum(0) < 0.05).sum()) + 1
    allowed = {model.tokenizer.decode([token]) for token in tokens[:needed].tolist()}
    assert set(first_tokens(model, top_p=0.05)) <= allowed
    assert needed > 3


def test_a_low_temperature_sharpens(model: LoadedModel) -> None:
    cold, warm = first_tokens(model, temperature=0.05), first_tokens(model)
    assert len(set(cold)) < len(set(warm)) / 2


def test_beams_find_a_likelier_text_than_greed(model: LoadedModel) -> None:
    greedy, found = (
        texts(model, temperature=0.0, max_new_tokens=4),
        texts(model, beams=8, samples_per_prompt=3, max_new_tokens=4),
    )
    chances = [chance_of(model, text) for text in found]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] >= chance_of(model, greedy[0])


def chance_of(model: LoadedModel, text: str) -> float:
    """Nats, of a text after the prompt. Only for text that is whole UTF-8."""
    before = [0, *model.tokenizer(PROMPT)["input_ids"]]
    tokens = [*before, *model.tokenizer(text)["input_ids"]]
    with torch.no_grad():
        scores = torch.log_softmax(model.network(torch.tensor([tokens])).logits[0], dim=-1)
    places = range(len(before), len(tokens))
    return sum(float(scores[place - 1, tokens[place]]) for place in places)


def test_a_text_ends_before_a_stop_string(model: LoadedModel) -> None:
    varied: dict[str, Any] = {"temperature": 0.0, "repetition_penalty": 100.0, "max_new_tokens": 60}
    [free] = texts(model, **varied)
    stop = next(c for c in free[10:] if c.isascii() and c not in free[:10])
    [line] = lines(model, [PROMPT], stop_strings=["nowhere in it", stop], **varied)
    assert line["text"] == free[: free.index(stop)]
    assert line["finish"] == "stop"
    assert 10 < line["tokens"] < 60


def test_a_penalty_keeps_a_text_from_repeating_itself(model: LoadedModel) -> None:
    plain, varied = (
        texts(model, temperature=0.0, max_new_tokens=40, repetition_penalty=penalty)[0]
        for penalty in (1.0, 100.0)
    )
    assert len(set(varied)) > 3 * len(set(plain))


def test_an_end_token_ends_a_text(model: LoadedModel, tiny_model: Path) -> None:
    eager = loaded(tiny_model)
    [greedy] = lines(model, [PROMPT], temperature=0.0)
    first = int(next_token_chances(model).argmax())
    eager.network.generation_config.eos_token_id = [1, first]
    [line] = lines(eager, [PROMPT], temperature=0.0)
    assert (greedy["finish"], greedy["tokens"]) == ("length", 12)
    assert (line["text"], line["finish"], line["tokens"]) == ("", "stop", 0)


def test_the_models_own_settings_change_nothing(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(tiny_model, own)
    (own / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "top_k": 1, "repetition_penalty": 5.0, "max_length": 3})
    )
    wanted = {"prompts": [PROMPT], "maxNewTokens": 12, "seed": 7}
    run("generate", wanted, model=own, outputs=tmp_path / "a")
    run("generate", wanted, model=tiny_model, outputs=tmp_path / "b")
    written = [(tmp_path / name / "generations.jsonl").read_text() for name in "ab"]
    assert written[0] == written[1]


def test_rows_say_prompt_text_and_why_it_ended(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "One"}\n{"text": "Two", "id": "second"}\n')
    wanted = {"maxNewTokens": 5, "samplesPerPrompt": 2, "topK": 3, "seed": 4}
    ended = run("generate", wanted, model=tiny_model, prompts=file, outputs=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "generations.jsonl").open()]
    assert [(row["id"], row["sample"], row["seed"]) for row in rows] == [
        ("prompts.jsonl:1", 0, 4),
        ("prompts.jsonl:1", 1, 4),
        ("second", 0, 4),
        ("second", 1, 4),
    ]
    assert all(row["tokens"] == 5 or row["finish"] == "stop" for row in rows)
    assert report_of(tmp_path)["metrics"]["prompts"] == 2
    assert ended.progress[-1].percent == 100.0
    assert ended.progress[-1].metrics["tokensPerSecond"] > 0


def test_the_log_shows_each_text_unless_told_not_to(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    wanted = {"prompts": ["One", "Two"], "maxNewTokens": 5}
    shown = run("generate", wanted, model=tiny_model, outputs=tmp_path).output
    hidden = run("generate", {**wanted, "stream": False}, model=tiny_model, outputs=tmp_path).output
    assert '| prompt:1 [0] 5 tokens, length: "One" → "' in shown
    assert "One" not in hidden


def test_a_single_text_is_shown_in_whole_lines_while_it_grows(
    run: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(told, "Progress", functools.partial(Progress, interval_seconds=0.0))
    wanted = {"prompts": ["One"], "maxNewTokens": 300}
    output = run("generate", wanted, model=tiny_model, outputs=tmp_path).output
    [row] = [json.loads(line) for line in (tmp_path / "generations.jsonl").open()]
    said = [line for line in output.splitlines() if line.startswith("|")]
    letters = [c for c in row["text"] if c.isascii() and c.isprintable() and c != " "]
    assert len(letters) > 50
    assert output.count("progress") > 2
    streamed = [c for line in said for c in line[2:] if c.isascii() and c != " "]
    assert streamed == letters
    assert all(line.startswith(("|", '{"posthuman"')) for line in output.splitlines())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"beams": 2, "topK": 5}, "beam search finds the likeliest text"),
        ({"beams": 2, "samplesPerPrompt": 3}, "2 beams give at most 2 texts"),
        ({"temperature": 0, "samplesPerPrompt": 3}, "each sample would be the same text"),
        ({"chat": True}, "tokenizer has no chat template"),
        ({"prompts": ["x" * 500], "maxNewTokens": 20}, "more than the model's 512"),
        ({"tensorParallel": 2}, "but the job has 1 ranks"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run, tiny_model: Path, tmp_path: Path, wanted: dict[str, Any], words: str
) -> None:
    given = {"prompts": [PROMPT], **wanted}
    ended = run("generate", given, model=tiny_model, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (10, "BadParameter")
    assert words in ended.failure.message


def test_damaged_weights_are_told(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    broken = spoiled(tiny_model, tmp_path / "broken")
    ended = run("generate", {"prompts": [PROMPT]}, model=broken, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (14, "BadModel")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("chat_template.jinja", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("chat_template.jinja", "{% for x in", "end of template"),
        ("chat_template.jinja", "{{ raise_exception('users only') }}", "users only"),
        ("generation_config.json", '{"eos_token_id": "end"}', "eos_token_id is 'end'"),
    ],
)
def test_what_a_models_own_settings_do_wrong_is_the_models_fault(
    run: Run, tiny_model: Path, tmp_path: Path, file: str, content: str, words: str
) -> None:
    shutil.copytree(tiny_model, tmp_path / "model-in")
    (tmp_path / "model-in" / file).write_text(content)
    chat = {"prompts": [PROMPT], "chat": file.startswith("chat"), "maxNewTokens": 1}
    ended = run("generate", chat, model=tmp_path / "model-in", outputs=tmp_path / "out")
    assert (ended.code, ended.failure.reason) == (14, "BadModel")
    assert words in ended.failure.message


def test_a_chat_template_is_put_around_each_prompt(model: LoadedModel, tiny_model: Path) -> None:
    talker = loaded(tiny_model)
    talker.tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    [chatted] = texts(talker, chat=True)
    assert chatted == texts(model, [f"[user]{PROMPT}[assistant]"])[0] != texts(model)[0]


def test_two_ranks_generate_what_one_does(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    wanted = {"prompts": UNEVEN, "maxNewTokens": 8, "seed": 3, "samplesPerPrompt": 2}
    run("generate", wanted, model=tiny_model, outputs=tmp_path / "one")
    options = {"model": tiny_model, "outputs": tmp_path / "two"}
    assert run_process("generate", command_line(wanted, options), ranks=2).code == 0
    written = [(tmp_path / name / "generations.jsonl").read_text() for name in ("one", "two")]
    assert written[0] == written[1]


def test_ranks_that_hold_a_part_of_the_model_each_generate_what_one_does(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    wanted = {"prompts": UNEVEN, "maxNewTokens": 8, "seed": 3}
    run("generate", wanted, model=tiny_model, outputs=tmp_path / "one")
    options = {"model": tiny_model, "outputs": tmp_path / "two"}
    parallel = {**wanted, "tensorParallel": 2}
    ended = run_process("generate", command_line(parallel, options), ranks=2)
    assert ended.code == 0, ended.output
    written = [(tmp_path / name / "generations.jsonl").read_text() for name in ("one", "two")]
    assert written[0] == written[1]
