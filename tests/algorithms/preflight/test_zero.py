"""`zero: auto`: which stage and how many rows at once, and what is said of it."""

from __future__ import annotations

import dataclasses

import pytest

from algorithms.shared.preflight.training import Training
from algorithms.shared.preflight.zero import choose_zero, excess, fitting_gpus
from tests.algorithms.preflight.cases import A100S, CPU, GB, GPT2, GPTJ, ONE_A100, of_size


def test_the_sentence_of_gpt_j() -> None:
    choice = choose_zero(GPTJ, Training(rows=1, zero=3), A100S)
    assert choice.why.startswith(
        "gptj with 6.05 billion parameters, AdamW in bfloat16, ZeRO-3 on 8 × 80 GB: "
        "about 14 GB a GPU for weights, gradients and optimiser, "
    )
    assert "of 80 GB with 1 × 512 tokens at once" in choice.why


@pytest.mark.parametrize(
    ("billions", "stage", "offload"),
    [(0.1, 0, "none"), (6, 1, "none"), (13, 2, "none"), (20, 3, "none"), (40, 3, "optimizer")],
)
def test_the_least_that_fits_is_chosen(billions: float, stage: int, offload: str) -> None:
    hardware = dataclasses.replace(A100S, node_memory_bytes=2000 * GB)
    choice = choose_zero(of_size(billions), Training(rows=4), hardware)
    assert (choice.stage, choice.offload, choice.fits) == (stage, offload, True)
    assert excess(choice.estimate, hardware) <= 1


def test_one_process_on_a_cpu_needs_no_zero() -> None:
    choice = choose_zero(GPT2, Training(rows=8, length=128, dtype="float32"), CPU)
    assert (choice.stage, choice.fits) == (0, True)
    assert "without ZeRO on 1 process on CPU" in choice.why


def test_the_micro_batch_is_a_divisor_that_fits() -> None:
    training = Training(rows=24, length=1024, zero=3)
    choice = choose_zero(GPTJ, training, A100S)
    assert 1 < choice.micro_batch < 24
    assert 24 % choice.micro_batch == 0
    assert choice.fits


def test_what_was_asked_for_is_kept() -> None:
    training = Training(rows=4, zero=2, offload="optimizer", micro_batch=2)
    choice = choose_zero(GPTJ, training, A100S)
    assert (choice.stage, choice.offload, choice.micro_batch) == (2, "optimizer", 2)


def test_unknown_memory_is_said_to_be_unknown() -> None:
    unknown = dataclasses.replace(A100S, gpu_memory_bytes=0)
    choice = choose_zero(GPTJ, Training(rows=1), unknown)
    assert choice.fits is None
    assert " of " not in choice.why.partition("about")[2]


def test_offload_counts_the_node_s_memory() -> None:
    poor = dataclasses.replace(A100S, node_memory_bytes=100 * GB)
    choice = choose_zero(of_size(60), Training(rows=1), poor)
    assert choice.fits is False


def test_how_many_gpus_would_do() -> None:
    assert fitting_gpus(GPTJ, Training(), ONE_A100) == 2
    assert fitting_gpus(of_size(2000), Training(), ONE_A100) == 0
