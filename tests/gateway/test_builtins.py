"""A built-in bought as Ocean sells algorithms: which one, and what its inputs are to it."""

from __future__ import annotations

import pytest

from posthuman.api.job import Algorithm, BuiltinAlgorithm, JobInput, RawAlgorithm
from posthuman.errors import UserError
from posthuman.gateway.ocean.builtins import as_wanted, builtin_of
from posthuman.gateway.ocean.custom import custom_of

MODEL, OTHER, TEXT = ("did:op:" + letter * 64 for letter in "abc")


def of_builtin(name: str) -> Algorithm:
    return Algorithm(builtin=BuiltinAlgorithm(name=name))


def bought(*dids: str) -> list[JobInput]:
    return [JobInput(name=f"input-{index}", did=did) for index, did in enumerate(dids)]


@pytest.mark.parametrize("entrypoint", ["posthuman-builtin train", " posthuman-builtin train "])
def test_a_container_may_name_a_built_in(entrypoint: str) -> None:
    assert builtin_of(entrypoint) == BuiltinAlgorithm(name="train")


@pytest.mark.parametrize(
    "entrypoint", ["python $ALGO", "posthuman-builtin", "posthuman-builtin train; sh", "train"]
)
def test_another_entrypoint_is_run_as_it_stands(entrypoint: str) -> None:
    assert builtin_of(entrypoint) is None


@pytest.mark.parametrize(
    ("builtin", "data"), [("train", "text"), ("generate", "prompts"), ("question-answer", "corpus")]
)
def test_inputs_get_the_names_that_the_built_in_knows(builtin: str, data: str) -> None:
    wanted = as_wanted(of_builtin(builtin), bought(TEXT, MODEL), {MODEL})
    assert [(found.name, found.kind) for found in wanted] == [(data, "dataset"), ("model", "model")]


def test_several_models_keep_names_of_their_own() -> None:
    wanted = as_wanted(of_builtin("evaluate"), bought(MODEL, OTHER), {MODEL, OTHER})
    assert [(f.name, f.kind) for f in wanted] == [("model", "model"), ("input-1", "model")]


def test_other_algorithms_find_their_inputs_by_did() -> None:
    wanted = as_wanted(Algorithm(raw=RawAlgorithm()), bought(TEXT, MODEL), {MODEL})
    assert [(f.name, f.kind) for f in wanted] == [("input-0", "dataset"), ("input-1", "model")]


def test_uploads_come_with_the_parameters_and_are_none() -> None:
    place, sha256 = "uploads/0xb/text", "0" * 64
    upload = {"name": "text", "upload": place, "sha256": sha256}
    custom = custom_of({"steps": 5, "uploads": [upload]})
    assert custom.parameters == {"steps": 5}
    assert custom.uploads == (JobInput(name="text", upload=place, sha256=sha256),)


def test_an_upload_that_says_more_is_refused() -> None:
    with pytest.raises(UserError, match="uploads"):
        custom_of({"uploads": [{"name": "text", "upload": "u", "uri": "https://example.org"}]})
