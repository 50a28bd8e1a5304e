"""Parameters: mistakes are named, with a suggestion; schema and README say what the code takes."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from algorithms.evaluate.parameters import EvaluateParameters
from algorithms.generate.parameters import GenerateParameters
from algorithms.pretrain.parameters import PretrainParameters
from algorithms.question_answer.parameters import QuestionAnswerParameters
from algorithms.shared.failures import BadParameter
from algorithms.shared.parameters import Parameters, json_schema, read_parameters
from algorithms.train.parameters import TrainParameters
from tests.algorithms.conftest import folder_of

KINDS: dict[str, type[Parameters]] = {
    "train": TrainParameters,
    "evaluate": EvaluateParameters,
    "generate": GenerateParameters,
    "pretrain": PretrainParameters,
    "question-answer": QuestionAnswerParameters,
}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"step": 5}, ["no parameter step", "Did you mean steps?"]),
        ({"learning_rate": 0.1}, ["Did you mean learningRate?"]),
        ({"xyzzy": 1}, ["no parameter xyzzy", "Known are: task, steps"]),
        ({"steps": 0}, ["Parameter steps is 0: expected int >= 1."]),
        ({"steps": "5"}, ["Parameter steps is '5': expected int | null, got str."]),
        ({"schedule": "stairs"}, ["schedule is 'stairs': expected one of", "cosine", "linear"]),
        ({"blockLength": 1}, ["Parameter blockLength is 1: expected int >= 2."]),
        ({"batchSize": 10**11}, ["Parameter batchSize is 100000000000: expected int <= 65536."]),
        ({"gradientClip": float("inf")}, ["gradientClip holds a number that is not finite"]),
        ({"columns": {"text": "\ud800"}}, ["columns holds text that is no UTF-8"]),
        ({"epochs": float("inf")}, ["epochs holds a number that is not finite"]),
        ([1], ["one JSON object"]),
    ],
)
def test_a_wrong_parameter_is_named(raw: object, words: list[str]) -> None:
    with pytest.raises(BadParameter) as caught:
        read_parameters(raw, TrainParameters)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_parameters_are_read_in_camel_case() -> None:
    read = read_parameters({"batchSize": 2, "learningRate": 1}, TrainParameters)
    assert (read.batch_size, read.learning_rate, read.steps) == (2, 1.0, None)


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_file_is_that_of_the_code(name: str) -> None:
    written = json.loads((folder_of(name) / "parameters.schema.json").read_text())
    assert written == json.loads(json.dumps(json_schema(KINDS[name], name))), (
        f"run: python {folder_of(name)} --schema > {folder_of(name)}/parameters.schema.json"
    )
    Draft202012Validator.check_schema(written)


@pytest.mark.parametrize("name", KINDS)
def test_the_readme_explains_every_parameter(name: str) -> None:
    readme = (folder_of(name) / "README.md").read_text()
    schema = json_schema(KINDS[name], name)
    assert [p for p in schema["properties"] if f"| `{p}` |" not in readme] == []
