"""What is refused before a GPU is taken, and what is said where nothing is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from algorithms.shared.preflight import review as module
from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.model_types import TypeFacts, model_types
from algorithms.shared.preflight.review import review
from algorithms.shared.preflight.work import Work
from tests.algorithms.preflight.cases import A100S, CPU, GB, GPT2, GPTJ, ONE_A100, of_size

TYPES = {
    "llama": TypeFacts({"causal-lm": "", "sequence-classification": ""}, True),
    "gptj": TypeFacts({"causal-lm": ""}, False),
    "gpt2": TypeFacts({"causal-lm": "", "token-classification": "its test diverged."}, False),
    "xlnet": TypeFacts({"causal-lm": "it predicts permutations"}, False),
}


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "model_types", lambda: TYPES)
    yield


REFUSED: list[tuple[str, str, dict[str, Any], ModelFacts, Hardware, str, str]] = [
    ("type", "train", {}, of_size(1, "hal9000"), A100S, "UnsupportedModel", "not among those"),
    ("no task works", "train", {}, of_size(1, "xlnet"), A100S, "UnsupportedModel", "permutations"),
    (
        "task",
        "train",
        {"task": "token-classification"},
        GPT2,
        A100S,
        "UnsupportedModel",
        "its test diverged. It can do causal-lm.",
    ),
    ("reader", "question-answer", {}, GPT2, A100S, "UnsupportedModel", "question-answering"),
    ("plan", "train", {"tensorParallel": 2}, GPT2, A100S, "UnsupportedModel", "zero 3"),
    ("one GPU", "train", {}, GPTJ, ONE_A100, "DoesNotFit", "Ask for 2 GPUs"),
    ("zero 0", "train", {"zero": 0}, GPTJ, A100S, "DoesNotFit", "Set zero to auto"),
    ("size", "train", {}, of_size(2000), A100S, "DoesNotFit", "of 80 GB"),
    ("to generate", "generate", {}, of_size(175), A100S, "DoesNotFit", "about 35"),
    (
        "a pod",
        "train",
        {},
        GPT2,
        dataclasses.replace(CPU, node_memory_bytes=GB),
        "DoesNotFit",
        "spec.resources.memory",
    ),
]


@pytest.mark.parametrize(
    ("algorithm", "parameters", "model", "hardware", "reason", "says"),
    [pytest.param(*case[1:], id=case[0]) for case in REFUSED],
)
def test_refused(
    algorithm: str,
    parameters: dict[str, Any],
    model: ModelFacts,
    hardware: Hardware,
    reason: str,
    says: str,
) -> None:
    verdict = review(Work(algorithm, parameters), model, hardware, allow_remote_code=False)
    assert verdict.reason == reason
    assert says in verdict.message


@pytest.mark.parametrize(
    ("algorithm", "parameters", "model", "hardware", "says"),
    [
        ("train", {}, GPTJ, A100S, "of 80 GB"),
        ("train", {"loraRank": 8}, GPTJ, ONE_A100, "AdamW in bfloat16"),
        ("evaluate", {}, GPTJ, ONE_A100, "evaluate in bfloat16 on 1 × 80 GB: about 13 GB"),
        ("train", {}, GPTJ, dataclasses.replace(A100S, gpu_memory_bytes=0), "isn't known"),
        ("train", {"tensorParallel": 8}, of_size(6), A100S, "of 80 GB"),
    ],
)
def test_accepted_with_a_sentence(
    algorithm: str, parameters: dict[str, Any], model: ModelFacts, hardware: Hardware, says: str
) -> None:
    verdict = review(Work(algorithm, parameters), model, hardware, allow_remote_code=False)
    assert verdict.reason == ""
    assert says in verdict.note


@pytest.mark.parametrize("algorithm", ["train", "generate"])
def test_a_guessed_shape_refuses_nothing(algorithm: str) -> None:
    """Weights are known of a manifest; what a row takes only the configuration tells."""
    long = Work(algorithm, {"blockLength": 3_000_000})
    known = dataclasses.replace(GPT2, config={**GPT2.config})
    assert review(long, known, ONE_A100, False).reason == "DoesNotFit"
    guessed = review(long, dataclasses.replace(GPT2, config={}), ONE_A100, False)
    assert guessed.reason == ""
    assert "3000000" in guessed.note or "3000100" in guessed.note


def test_code_of_its_own_may_make_any_type_work() -> None:
    strange = of_size(1, "hal9000")
    assert review(Work("train", {}), strange, A100S, allow_remote_code=True).reason == ""


def test_nothing_is_said_of_an_algorithm_that_nothing_is_known_of() -> None:
    assert review(Work("my-own", {}), of_size(2000, "hal9000"), CPU, False).reason == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"batchSize": "8"},
        {"blockLength": -1},
        {"zero": 7},
        {"zero": True},
        {"offload": ["all"]},
        {"loraRank": "x"},
        {"task": 3},
        {"tensorParallel": 2**40},
    ],
)
def test_a_wrong_parameter_is_the_algorithm_s_to_refuse(wrong: dict[str, Any]) -> None:
    assert review(Work("train", wrong), GPT2, A100S, False).reason == ""


def test_a_stranger_s_absurd_count_breaks_nothing() -> None:
    absurd = ModelFacts("llama", -5, "bfloat16")
    assert review(Work("train", {}), absurd, A100S, False).reason == ""


def test_the_table_of_this_release_knows_the_famous_ones() -> None:
    for name in ("gpt2", "gptj", "gpt_neox", "llama", "qwen2"):
        assert "causal-lm" in model_types()[name].working, name
    assert "masked-lm" in model_types()["reformer"].working
    assert not model_types()["gpt2"].tensor_parallel
    assert model_types()["llama"].tensor_parallel
