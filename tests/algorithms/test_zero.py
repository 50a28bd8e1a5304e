"""ZeRO's engine, two ranks in one place: the numbers of a single process, saved and resumed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from algorithms.shared.failures import BadParameter
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.engines import choose
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.zero import ZeroFactory
from algorithms.shared.training.zero_config import Offload, ZeroSettings, deepspeed_config
from tests.algorithms.engine_program import PROMPT
from tests.algorithms.engine_runs import (
    Result,
    alone,
    environment,
    run_ranks,
    tiny_llama,
    untrained_losses,
)

pytestmark = pytest.mark.models
STEPS, CLIP = 4, 0.5
WEIGHTS = 17_120  # of tiny_llama, tied ones once
STAGES = (1, 2, 3)
WAYS: tuple[tuple[int, Offload], ...] = (
    (1, "none"),
    (2, "none"),
    (3, "none"),
    (2, "optimizer"),
    (3, "all"),
)
POISONED: tuple[tuple[int, Offload], ...] = ((1, "none"), (2, "optimizer"), (3, "all"))
TOLERANCE = 2e-6  # relative: float32 sums in another order


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def single(model: Path) -> Result:
    return alone(model, STEPS, CLIP)


@pytest.fixture(scope="module")
def ended(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Every scenario by its name, all in one run: starting two ranks takes longer than training."""
    folder = tmp_path_factory.mktemp("zero")
    scenarios = _scenarios(folder)
    ran = run_ranks([{"model": str(model), **one} for one in scenarios.values()], folder)
    return dict(zip(scenarios, ran, strict=True)) | {"folder": folder}


def _scenarios(folder: Path) -> dict[str, dict[str, Any]]:
    wanted: dict[str, dict[str, Any]] = {}
    for stage, offload in WAYS:
        state = folder / f"{stage}-{offload}"
        state.mkdir()
        way = {"stage": stage, "offload": offload, "clip": CLIP, "parts": 2, "folder": str(state)}
        wanted[f"{stage} {offload}"] = {
            **way,
            "steps": [0, STEPS],
            "save_after": 2,
            "weights": str(state.with_suffix(".safetensors")),
            "generate": True,
        }
        wanted[f"{stage} {offload} rest"] = {**way, "steps": [2, STEPS], "resume": True}
    for stage, offload in POISONED:
        poisoned = {"stage": stage, "offload": offload, "steps": [0, 2], "poison": True}
        wanted[f"{stage} {offload} poisoned"] = poisoned
    for stage in STAGES:
        wanted[f"{stage} lora"] = {"stage": stage, "steps": [0, 2], "lora": True}
        wanted[f"{stage} bfloat16"] = {
            "stage": stage,
            "steps": [0, STEPS],
            "clip": CLIP,
            "dtype": "bfloat16",
        }
    other = {"steps": [2, STEPS], "resume": True, "folder": str(folder / "1-none")}
    wanted["other stage"] = {"stage": 2, **other}
    wanted["other arithmetic"] = {"stage": 1, "dtype": "bfloat16", **other}
    return wanted


@pytest.mark.parametrize(("stage", "offload"), WAYS)
def test_losses_and_norms_are_those_of_one_process(
    stage: int, offload: str, ended: Mapping[str, Any], single: Result
) -> None:
    run = ended[f"{stage} {offload}"]
    assert run["losses"] == pytest.approx(single["losses"], rel=TOLERANCE)
    assert run["norms"] == pytest.approx(single["norms"], rel=TOLERANCE)
    assert max(run["norms"]) > CLIP  # else clipping was not tried


@pytest.mark.parametrize(("stage", "offload"), WAYS)
def test_rank_0_gets_every_weight_whole(
    stage: int, offload: str, ended: Mapping[str, Any], single: Result
) -> None:
    weights = load_file(ended["folder"] / f"{stage}-{offload}.safetensors")
    assert weights.keys() == single["weights"].keys()
    for name, weight in single["weights"].items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stage", "offload"), WAYS)
def test_a_resumed_run_goes_on_as_if_nothing_had_been(
    stage: int, offload: str, ended: Mapping[str, Any]
) -> None:
    whole, rest = ended[f"{stage} {offload}"], ended[f"{stage} {offload} rest"]
    assert rest["losses"] == whole["losses"][2:]
    assert rest["norms"] == whole["norms"][2:]
    assert rest["held_out"] == whole["held_out"]


@pytest.mark.parametrize("stage", STAGES)
def test_each_rank_saves_its_part_alone(stage: int, ended: Mapping[str, Any]) -> None:
    """Both parts together: 17,120 master weights and two moments of each, a little padded."""
    folder = ended["folder"] / f"{stage}-none"
    assert {file.name for file in folder.iterdir()} == {
        "zero-rank-0.safetensors",
        "zero-rank-1.safetensors",
    }
    counts = [_elements(file) for file in sorted(folder.iterdir())]
    assert WEIGHTS * 3 <= sum(counts) < WEIGHTS * 3 * 1.05
    assert max(counts) < WEIGHTS * 3 * 0.6


def _elements(file: Path) -> int:
    with safe_open(file, framework="pt") as stored:
        names = [name for name in stored.keys() if not name.startswith("buffer.")]  # noqa: SIM118
        return sum(stored.get_tensor(name).numel() for name in names)


@pytest.mark.parametrize(("stage", "offload"), POISONED)
def test_a_gradient_that_is_no_number_changes_nothing(
    stage: int, offload: str, ended: Mapping[str, Any], model: Path
) -> None:
    run = ended[f"{stage} {offload} poisoned"]
    assert run["norms"] == [None, None]
    assert run["losses"] == pytest.approx(untrained_losses(model, 2), rel=TOLERANCE)


@pytest.mark.parametrize("stage", STAGES)
def test_bfloat16_stays_near_float32(stage: int, ended: Mapping[str, Any], single: Result) -> None:
    losses = ended[f"{stage} bfloat16"]["losses"]
    assert losses == pytest.approx(single["losses"], rel=3e-3)
    assert losses != pytest.approx(single["losses"], rel=TOLERANCE)


def test_the_network_scores_and_generates_alike_in_every_stage(ended: Mapping[str, Any]) -> None:
    runs = [ended[f"{stage} {offload}"] for stage, offload in WAYS]
    assert [run["held_out"] for run in runs] == pytest.approx([runs[0]["held_out"]] * len(runs))
    [tokens] = {tuple(run["generated"]) for run in runs}
    assert len(tokens) > len(PROMPT)


def test_adapters_train_alike_in_every_stage(ended: Mapping[str, Any]) -> None:
    losses = [ended[f"{stage} lora"]["losses"] for stage in STAGES]
    assert losses[1] == pytest.approx(losses[0], rel=TOLERANCE)
    assert losses[2] == pytest.approx(losses[0], rel=TOLERANCE)
    assert len(set(losses[0])) == 2


def test_another_stage_or_arithmetic_refuses_the_checkpoint(ended: Mapping[str, Any]) -> None:
    assert ended["other stage"]["failure"] == "CheckpointMismatch"
    assert "zero 1, this run has zero 2" in ended["other stage"]["message"]
    assert "resume with zero 1" in ended["other stage"]["message"]
    assert "arithmetic float32" in ended["other arithmetic"]["message"]


def test_one_rank_trains_too_and_refuses_the_checkpoint_of_two(
    model: Path, ended: Mapping[str, Any], single: Result, tmp_path: Path
) -> None:
    """One GPU with offload is a way to train what it doesn't hold."""
    trained = {"model": str(model), "stage": 2, "offload": "optimizer", "steps": [0, 2]}
    folder = ended["folder"] / "2-none"
    resumed = {"model": str(model), "stage": 2, "steps": [0, 2], "resume": True}
    first, second = run_ranks(
        [{**trained, "clip": CLIP}, {**resumed, "folder": str(folder)}], tmp_path, ranks=1
    )
    assert first["losses"] == pytest.approx(single["losses"][:2], rel=TOLERANCE)
    assert second["failure"] == "CheckpointMismatch"
    assert "ranks 2, this run has ranks 1" in second["message"]


def test_in_stage_3_no_rank_ever_has_the_whole_model(ended: Mapping[str, Any]) -> None:
    """Right after loading, before DeepSpeed gets the model."""
    assert ended["2 none"]["held"] == WEIGHTS
    assert ended["3 none"]["held"] < WEIGHTS * 0.55


def test_without_deepspeed_zero_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadParameter, match="deepspeed is not installed here"):
        ZeroFactory(ZeroSettings(2), Ranks(0, 1, torch.device("cpu")))


def test_without_zero_deepspeed_is_not_imported() -> None:
    """It takes seconds."""
    program = (
        "import sys, torch\n"
        "from algorithms.shared.ranks import Ranks\n"
        "from algorithms.shared.training.engines import choose\n"
        "from algorithms.shared.training.parameters import TrainingParameters\n"
        "choose(TrainingParameters(zero=0), Ranks(0, 1, torch.device('cpu')))\n"
        "sys.exit('deepspeed' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment())
    assert done.returncode == 0


@pytest.mark.parametrize("stage", [0, 4])
def test_an_unknown_stage_is_refused(stage: int) -> None:
    with pytest.raises(BadParameter, match="not one of 0, 1, 2, 3, auto"):
        ZeroSettings(stage)


def test_weights_are_offloaded_in_stage_3_alone() -> None:
    with pytest.raises(BadParameter, match="all needs zero 3, not 2"):
        ZeroSettings(2, offload="all")


@pytest.mark.parametrize("together", [1, 2])
def test_offload_without_zero_is_refused(together: int) -> None:
    parameters = TrainingParameters(zero=0, offload="optimizer", tensor_parallel=together)
    with pytest.raises(BadParameter, match="is done by ZeRO, which is off"):
        choose(parameters, Ranks(0, 2, torch.device("cpu")))


def test_nothing_that_needs_a_compiler_is_asked_for() -> None:
    wanted = deepspeed_config(ZeroSettings(3, offload="all"), torch.device("cuda"))
    assert wanted["zero_force_ds_cpu_optimizer"] is False
    assert wanted["gradient_clipping"] == 0.0
    assert wanted["zero_optimization"]["offload_param"] == {"device": "cpu", "pin_memory": True}
