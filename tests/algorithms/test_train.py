"""Training: it learns, repeats itself bit by bit, and comes out the same on two ranks."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from algorithms.shared.data.base import ExampleStore
from algorithms.shared.failures import BadParameter, NaNLoss
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.loading import load
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Example
from algorithms.shared.training.loop import Hooks, Loop
from algorithms.shared.training.parameters import step_count
from algorithms.shared.training.plain import PlainFactory
from algorithms.shared.training.records import StepRecord, TrainingState
from algorithms.shared.training.schedule import learning_rate
from algorithms.train.parameters import TrainParameters
from tests.algorithms.conftest import Run, command_line, report_of, run_process, spoiled

pytestmark = pytest.mark.models
SHORT = {"steps": 8, "batchSize": 5, "blockLength": 32, "learningRate": 0.01, "seed": 4}

ALONE = Ranks(0, 1, torch.device("cpu"))


class Blocks(ExampleStore):
    """Three rows of unequal length."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Example:
        if index >= len(self):
            raise IndexError(index)
        return {"input_ids": list(range(20, 20 + (11, 8, 4)[index]))}


def loaded(folder: Path) -> LoadedModel:
    return load(LoadRequest(folder, device=ALONE.device, dtype=torch.float32))


def digest(outputs: Path) -> str:
    return hashlib.sha256((outputs / "model" / "model.safetensors").read_bytes()).hexdigest()


def losses(outputs: Path) -> list[float]:
    with (outputs / "loss.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_training_lowers_the_held_out_loss(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    ended = run("train", {**SHORT, "steps": 30}, model=tiny_model, data=corpus, outputs=tmp_path)
    report = report_of(tmp_path)
    assert ended.code == 0
    assert report["metrics"]["heldOutLossAfter"] < report["metrics"]["heldOutLossBefore"] - 1.5
    assert report["metrics"]["lastLoss"] < report["metrics"]["firstLoss"]
    assert report["parameters"]["steps"] == 30
    assert report["versions"]["torch"] == torch.__version__
    last = ended.progress[-1]
    assert (last.percent, last.step, last.total_steps) == (100.0, 30, 30)
    assert last.metrics["loss"] == pytest.approx(losses(tmp_path)[-1], rel=1e-5)
    assert "30 steps" in (tmp_path / "model" / "README.md").read_text()


def test_the_same_training_twice_gives_the_same_bytes(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        run("train", SHORT, model=tiny_model, data=corpus, outputs=tmp_path / name)
    run("train", {**SHORT, "seed": 5}, model=tiny_model, data=corpus, outputs=tmp_path / "other")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


def test_two_ranks_train_as_one_does(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    """Five blocks a step are three for one rank and two for the other."""
    one, two = tmp_path / "one", tmp_path / "two"
    run("train", SHORT, model=tiny_model, data=corpus, outputs=one)
    options = {"model": tiny_model, "data": corpus, "outputs": two}
    ended = run_process("train", command_line(SHORT, options), ranks=2)
    assert ended.code == 0
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    for metric in ("heldOutLossBefore", "heldOutLossAfter"):
        expected = report_of(one)["metrics"][metric]
        assert report_of(two)["metrics"][metric] == pytest.approx(expected, rel=1e-4)
    assert [line.step for line in ended.progress][-1] == 8


def test_a_batch_in_parts_trains_as_a_whole_one(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    one, parts = tmp_path / "one", tmp_path / "parts"
    run("train", SHORT, model=tiny_model, data=corpus, outputs=one)
    in_parts = {**SHORT, "gradientAccumulation": 3}
    run("train", in_parts, model=tiny_model, data=corpus, outputs=parts)
    assert losses(parts) == pytest.approx(losses(one), rel=1e-4)


def test_the_model_is_saved_in_the_dtype_it_came_in(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(tiny_model, half)
    AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).save_pretrained(half)
    run("train", SHORT, model=half, data=corpus, outputs=tmp_path)
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_tied_weight_is_saved_once(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    """Also where it is saved in another dtype than it was trained in."""
    tied = tmp_path / "tied"
    shutil.copytree(tiny_model, tied)
    config = AutoConfig.from_pretrained(tiny_model, tie_word_embeddings=True)
    make: Any = AutoModelForCausalLM.from_config
    make(config, dtype=torch.bfloat16).save_pretrained(tied)
    run("train", SHORT, model=tied, data=corpus, outputs=tmp_path / "out")
    before, after = (load_file(f / "model.safetensors") for f in (tied, tmp_path / "out" / "model"))
    assert after.keys() == before.keys()
    assert "lm_head.weight" not in after


def test_a_batch_smaller_than_its_parts_is_refused(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    wrong = {"batchSize": 2, "gradientAccumulation": 3}
    ended = run("train", wrong, model=tiny_model, data=corpus, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (10, "BadParameter")
    assert "batchSize: 2 is less than 3" in ended.failure.message


def test_a_block_longer_than_the_model_takes_is_refused(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    wrong = {"blockLength": 4096}
    ended = run("train", wrong, model=tiny_model, data=corpus, outputs=tmp_path)
    assert "blockLength: 4096 tokens, but the model takes 512" in ended.failure.message


def test_damaged_weights_end_the_training(
    run: Run, tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    broken = spoiled(tiny_model, tmp_path / "broken")
    ended = run("train", SHORT, model=broken, data=corpus, outputs=tmp_path)
    assert (ended.code, ended.failure.reason) == (15, "NaNLoss")
    assert "at step 1: the model's weights are damaged" in ended.failure.message
    assert not (tmp_path / "model").exists()


def test_a_gradient_that_overflows_spoils_no_weight(tiny_model: Path) -> None:
    """The first step is sound, the second's gradient isn't."""
    model = loaded(tiny_model)
    parameters = TrainParameters(steps=3, batch_size=2, gradient_clip=0)
    engine = PlainFactory(parameters, ALONE).engine(model)
    weight = model.network.lm_head.weight
    counts = itertools.count()
    weight.register_hook(lambda gradient: gradient * (math.inf if next(counts) else 1))
    loop = Loop(engine, model.task, Blocks(), parameters, 3, ALONE)
    with pytest.raises(NaNLoss, match=r"gradient's norm is inf at step 2: lower learningRate"):
        loop.run(TrainingState(), Hooks(lambda *_: None, lambda _: None, lambda _: False))
    assert bool(weight.isfinite().all())


def test_a_steps_loss_is_that_by_hand_with_unequal_rows(tiny_model: Path) -> None:
    """Over all targets of the batch together: no mean of means."""
    model, records = loaded(tiny_model), list[StepRecord]()
    parameters = TrainParameters(steps=1, batch_size=3, gradient_accumulation=2)
    expected = sum(by_hand(model, Blocks()[row]["input_ids"]) for row in range(3))
    engine = PlainFactory(parameters, ALONE).engine(model)
    hooks = Hooks(lambda record, _: records.append(record), lambda _: None, lambda _: False)
    Loop(engine, model.task, Blocks(), parameters, 1, ALONE).run(TrainingState(), hooks)
    assert (records[0].targets, records[0].tokens) == (10 + 7 + 3, 10 + 7 + 3)
    assert records[0].loss == pytest.approx(expected / 20, rel=1e-5)


def by_hand(model: LoadedModel, tokens: list[int]) -> float:
    """Nats of all tokens but the first, each from all before it."""
    with torch.no_grad():
        chances = model.network(torch.tensor([tokens])).logits[0].double().log_softmax(-1)
    return -sum(float(chances[place, token]) for place, token in enumerate(tokens[1:]))


def test_the_learning_rate_climbs_and_falls() -> None:
    parameters = TrainParameters(learning_rate=1.0, warmup_fraction=0.2)
    rates = [learning_rate(step, 10, parameters) for step in range(10)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.1


def test_epochs_say_how_many_steps() -> None:
    assert step_count(TrainParameters(epochs=1.5, batch_size=4), examples=10) == 4
    assert step_count(TrainParameters(steps=7), examples=10) == 7
    assert step_count(TrainParameters(), examples=10) == 500
    with pytest.raises(BadParameter, match="steps and epochs exclude each other"):
        TrainParameters(steps=3, epochs=1)
