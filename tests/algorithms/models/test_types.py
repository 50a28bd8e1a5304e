"""Model types through save, load, a step and an evaluation: the famous ones, and a few each day.

All of them are tried by `make models`, which writes the table that these tests hold it to.
"""

from __future__ import annotations

import datetime
import os
import random

import pytest
import torch
import transformers

from algorithms.shared.preflight.model_types import model_types
from tests.algorithms.models.sweep import all_types
from tests.algorithms.models.table import PAGE, page, read_table
from tests.algorithms.models.trial import try_task, try_type

pytestmark = pytest.mark.models

FAMOUS = (
    "bart",
    "bert",
    "bloom",
    "distilbert",
    "falcon",
    "gemma",
    "gemma2",
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "llama",
    "mistral",
    "mixtral",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "reformer",
    "roberta",
    "t5",
)
SAMPLED = 12
GOAL = 200  # types
SEED = os.environ.get("MODEL_TYPES_SEED") or datetime.date.today().isoformat()


def of_the_day() -> list[str]:
    """Working types that aren't famous; MODEL_TYPES_SEED=2030-01-31 draws that day's again."""
    works = [name for name, facts in model_types().items() if facts.working]
    return random.Random(SEED).sample(sorted(set(works) - set(FAMOUS)), SAMPLED)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("model_type", FAMOUS)
def test_a_famous_type_does_all_that_it_has_a_head_for(model_type: str) -> None:
    outcome = try_type(model_type)
    assert outcome == dict.fromkeys(outcome, "")


@pytest.mark.parametrize("model_type", of_the_day())
def test_a_type_drawn_for_the_day_does_what_the_table_says(model_type: str) -> None:
    outcome = try_type(model_type)
    failing = {task for task, reason in outcome.items() if reason}
    wanted = model_types()[model_type].tasks
    assert failing == {task for task, reason in wanted.items() if reason}, (SEED, outcome)


def test_a_head_that_sees_what_it_predicts_is_found_out() -> None:
    assert "sees the tokens" in try_task("xlnet", "causal-lm")


def test_the_table_is_of_the_installed_transformers() -> None:
    assert list(model_types()) == all_types()
    assert f"transformers {transformers.__version__} " in PAGE.read_text(), "run make models"


def test_the_page_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page(read_table())


def test_two_hundred_types_can_be_trained() -> None:
    assert sum(bool(facts.working) for facts in model_types().values()) >= GOAL
