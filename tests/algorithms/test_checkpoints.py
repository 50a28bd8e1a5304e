"""Checkpoints: found by content, refused for another run, and the last two kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from algorithms.shared.failures import CheckpointMismatch
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Example
from algorithms.shared.training.batches import on_device
from algorithms.shared.training.checkpoints import Checkpoints
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.manifest import Identity
from algorithms.shared.training.parameters import binding
from algorithms.shared.training.plain import PlainFactory
from algorithms.shared.training.records import Score, StepRecord, TrainingState
from algorithms.train.parameters import TrainParameters

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))
IDENTITY = Identity(
    model="m", data="d", parameters={"seed": 1}, engine="plain", portable=True, world_size=1
)
ROW: Example = {"input_ids": list(range(20, 40))}


@pytest.fixture
def model(tiny_model: Path) -> LoadedModel:
    return load(LoadRequest(tiny_model, device=ALONE.device, dtype=torch.float32))


@pytest.fixture
def engine(model: LoadedModel) -> Engine:
    return PlainFactory(TrainParameters(), ALONE).engine(model)


def stepped(engine: Engine, model: LoadedModel, steps: int = 1) -> list[float]:
    """Train on one row; the norms tell one state of weights and moments from another."""
    batch = on_device(model.task.collate([ROW]), ALONE.device)
    norms = []
    for _ in range(steps):
        engine.backward(model.task, batch, 0.05, True)
        norms.append(engine.step(1e-2, 0))
    return norms


def state_of(step: int) -> TrainingState:
    records = [StepRecord(n + 1, 0.1 * n, 1e-3, 1.0, 20, 19) for n in range(step)]
    return TrainingState(before=Score(3.25, 7), records=records, seconds=1.5)


def saved(folder: Path, engine: Engine, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, IDENTITY, ALONE)
    for step in steps:
        checkpoints.save(engine, state_of(step))
    return checkpoints


def other(**changes: Any) -> Identity:
    return msgspec.structs.replace(IDENTITY, **changes)


def test_a_restored_engine_goes_on_exactly_as_the_saved_one(
    model: LoadedModel, engine: Engine, tiny_model: Path, tmp_path: Path
) -> None:
    stepped(engine, model, 3)
    saved(tmp_path / "c", engine, 3)
    expected = stepped(engine, model, 3)
    fresh = load(LoadRequest(tiny_model, device=ALONE.device, dtype=torch.float32))
    again = PlainFactory(TrainParameters(), ALONE).engine(fresh)
    state = Checkpoints(tmp_path / "c", IDENTITY, ALONE).restore(again)
    assert state == state_of(3)
    assert stepped(again, fresh, 3) == expected


def test_the_last_two_are_kept_and_nothing_is_pickled(engine: Engine, tmp_path: Path) -> None:
    saved(tmp_path, engine, 9, 10, 11)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-10", "step-11"]
    suffixes = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert suffixes == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_flipped_bit_is_found_out(
    name: str, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = saved(tmp_path, engine, 4, 8)
    file = tmp_path / "step-8" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    state = checkpoints.restore(engine)
    assert state is not None
    assert state.step == 4
    assert "step-8 is damaged: it is passed over" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["truncated", "no manifest", "manifest cut", "manifest altered"])
def test_a_damaged_one_is_passed_over(damage: str, engine: Engine, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, engine, 4, 8)
    weights, manifest = (tmp_path / "step-8" / n for n in ("weights.safetensors", "manifest.json"))
    if damage == "truncated":
        os.truncate(weights, 1000)
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "manifest cut":
        os.truncate(manifest, 40)
    else:
        fields = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**fields, "step": 9}))
    state = checkpoints.restore(engine)
    assert state is not None
    assert state.step == 4
    checkpoints.save(engine, state_of(6))  # is not taken for older than the damaged one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-4", "step-6"]


def test_the_name_says_nothing(engine: Engine, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, engine, 4, 8)
    (tmp_path / "step-8").rename(tmp_path / "a copy of mine")
    (tmp_path / "step-4").rename(tmp_path / "step-99")
    state = checkpoints.restore(engine)
    assert state is not None
    assert state.step == 8


def test_what_a_kill_left_half_written_is_no_checkpoint(engine: Engine, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, engine, 4)
    unfinished = tmp_path / ".unfinished"
    unfinished.mkdir()
    (unfinished / "weights.safetensors").write_bytes(b"half")
    state = checkpoints.restore(engine)
    assert state is not None
    assert state.step == 4
    checkpoints.save(engine, state_of(8))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-4", "step-8"]


def test_the_same_parameters_are_those_of_the_same_run(engine: Engine, tmp_path: Path) -> None:
    """As they were read from JSON again, tuples and all."""
    own = other(parameters=binding(TrainParameters(lora_targets=("q_proj",), learning_rate=1)))
    Checkpoints(tmp_path, own, ALONE).save(engine, state_of(4))
    assert Checkpoints(tmp_path, own, ALONE).restore(engine)


def test_without_any_there_is_nothing_to_go_on_from(engine: Engine, tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", IDENTITY, ALONE).restore(engine) is None


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (other(model="x"), "the model differs"),
        (other(data="x"), "the data differs"),
        (other(parameters={"seed": 2}), "seed was 1, now 2"),
        (other(engine="zero", portable=False), "held by plain, now by zero"),
    ],
)
def test_another_runs_is_refused_and_kept(
    identity: Identity, words: str, engine: Engine, tmp_path: Path
) -> None:
    saved(tmp_path, engine, 4)
    with pytest.raises(CheckpointMismatch, match=words):
        Checkpoints(tmp_path, identity, ALONE).restore(engine)
    assert (tmp_path / "step-4").exists()


def test_another_number_of_ranks_is_refused_only_where_the_state_is_cut_up(
    engine: Engine, tmp_path: Path
) -> None:
    saved(tmp_path / "whole", engine, 4)
    assert Checkpoints(tmp_path / "whole", other(world_size=2), ALONE).restore(engine)
    cut = other(portable=False, world_size=2)
    Checkpoints(tmp_path / "cut", cut, ALONE).save(engine, state_of(4))
    with pytest.raises(CheckpointMismatch, match="2 ranks shared its weights out, now there are 1"):
        Checkpoints(tmp_path / "cut", other(portable=False), ALONE).restore(engine)
