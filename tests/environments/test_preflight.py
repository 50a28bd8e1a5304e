"""What a published model's manifest tells of a job, before anything is made for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.manifest import ModelFacts
from posthuman.environments.catalogue import BuiltinFacts
from posthuman.environments.policy import review
from posthuman.environments.preflight import estimate_of, hardware_of
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal
from tests.builders import MODEL_INPUT, SETTINGS, TEXT_INPUT, asset, environment, job

GPTJ = ModelFacts(model_type="gptj", parameter_count=6_050_882_784, dtype="bfloat16")
NODE = {"gpusPerNode": 8, "cpuPerNode": "8", "memoryPerNode": "64Gi"}


def request(model: ModelFacts, hardware: dict[str, Any] | None = None, **spec: Any) -> Request:
    return Request(
        job=job(**{"inputs": [TEXT_INPUT, MODEL_INPUT], **spec}),
        environment=environment(hardware=hardware or NODE),
        assets={"model": asset()},
        models={"model": model},
        catalogue=SETTINGS.catalogue,
    )


def test_a_model_that_fits_is_accepted_with_its_estimate() -> None:
    asked = request(GPTJ, gpusPerNode=8)
    assert review(asked) is None
    assert "gptj with 6.05 billion parameters" in estimate_of(asked)
    assert "on 8 × 80 GB: about 36 GB a GPU" in estimate_of(asked)


def test_models_of_a_kind_are_told_of_once() -> None:
    one = request(GPTJ, gpusPerNode=8)
    two = msgspec.structs.replace(one, models={"model": GPTJ, "other": GPTJ})
    assert estimate_of(two) == estimate_of(one) != ""


@pytest.mark.parametrize(
    ("model", "spec", "reason", "says"),
    [
        (GPTJ, {"gpusPerNode": 1}, "DoesNotFit", 'input "model": gptj with 6.05 billion'),
        (GPTJ, {}, "DoesNotFit", "spec.resources.memory"),
        (
            ModelFacts(model_type="hal9000", parameter_count=1, dtype="float32"),
            {},
            "UnsupportedModel",
            "not among those",
        ),
        (
            GPTJ,
            {"gpusPerNode": 8, "parameters": {"task": "seq2seq-lm"}},
            "UnsupportedModel",
            "can't do seq2seq-lm",
        ),
    ],
)
def test_one_that_can_t_is_refused(
    model: ModelFacts, spec: dict[str, Any], reason: str, says: str
) -> None:
    verdict = review(request(model, **spec))
    assert isinstance(verdict, Refusal)
    assert verdict.reason == reason
    assert says in verdict.message


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, ""),
        ({"modelType": "llama", "layers": 32, "hiddenSize": 4096}, ""),
        ({"modelType": "llama", "layers": 200, "hiddenSize": 30_000}, "DoesNotFit"),
        ({"modelType": "gpt_2"}, "UnsupportedModel"),
    ],
)
def test_a_model_that_is_yet_to_be_made_is_judged_by_the_parameters(
    parameters: dict[str, Any], reason: str
) -> None:
    catalogue = {"pretrain": BuiltinFacts(name="pretrain", version="1", digest="", folder="x")}
    asked = msgspec.structs.replace(
        request(GPTJ, algorithm={"builtin": {"name": "pretrain"}}, parameters=parameters,
                gpusPerNode=8, inputs=[TEXT_INPUT]),
        catalogue=catalogue, models={}, assets={},
    )  # fmt: skip
    verdict = review(asked)
    assert (verdict.reason if verdict else "") == reason
    if "layers" in parameters and not reason:
        assert "llama with 6.57 billion" in estimate_of(asked)


def test_an_environment_may_say_its_gpus_memory() -> None:
    small = request(GPTJ, {**NODE, "gpuType": "NVIDIA-A10", "gpuMemory": "24G"}, gpusPerNode=1)
    assert hardware_of(small.job, small.environment).gpu_memory_bytes == 24 * 10**9
    assert isinstance(review(small), Refusal)


def test_a_gpu_whose_memory_nobody_said_refuses_nothing() -> None:
    unknown = request(GPTJ, {**NODE, "gpuType": "NVIDIA-A10"}, gpusPerNode=1)
    assert review(unknown) is None
    assert "isn't known (hardware.gpuMemory)" in estimate_of(unknown)


def test_a_pod_has_its_share_of_the_node_or_what_it_asks_for() -> None:
    half = request(GPTJ, gpusPerNode=4)
    assert hardware_of(half.job, half.environment).node_memory_bytes == 32 * 2**30
    own = request(GPTJ, resources={"memory": "9Gi"}, processesPerNode=2)
    found = hardware_of(own.job, own.environment)
    assert (found.node_memory_bytes, found.processes_per_node) == (9 * 2**30, 2)
