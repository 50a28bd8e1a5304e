"""One attempt put together: the model in its engine, the data ready, the checkpoints' place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from algorithms.shared.data.base import DataSpec, Prepared
from algorithms.shared.data.prepare import prepare
from algorithms.shared.failures import UnsupportedModel
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.ranks import Ranks
from algorithms.shared.training import engines
from algorithms.shared.training.checkpoints import Checkpoints
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.label_scan import scan_labels
from algorithms.shared.training.manifest import Identity
from algorithms.shared.training.parameters import (
    P,
    TrainingParameters,
    binding,
    check_batch,
    step_count,
)
from algorithms.shared.training.precision import arithmetic_dtype
from algorithms.shared.training.source import ModelSource
from algorithms.shared.training.zero_auto import settled

DEFAULT_BLOCK_LENGTH = 512
CHECKPOINTS = "checkpoints"  # in scratch
DATA = "text"  # the input


@dataclass(frozen=True)
class Setup:
    """`parameters`: with nothing left to choose; `length`: tokens an example; `steps`: of the whole
    run; `dtype`: of the arithmetic."""

    parameters: TrainingParameters
    facts: ModelFacts
    model: LoadedModel
    engine: Engine
    data: Prepared
    length: int
    steps: int
    dtype: torch.dtype
    checkpoints: Checkpoints


def set_up(task: Task[P], source: ModelSource, ranks: Ranks) -> Setup:
    """Called by all ranks. Raises the failures of algorithms.shared.failures."""
    facts = source.facts()
    parameters = _settled(task.parameters, facts, ranks)
    factory = engines.choose(parameters, ranks)
    with factory.loading():
        model = source.load(factory.request(_request(task, source, ranks)))
    length = model.window(parameters.block_length, DEFAULT_BLOCK_LENGTH)
    data = _data(task, model, length, ranks)
    if parameters.gradient_checkpointing:
        _compute_twice(model.network)
    engine = factory.engine(model)
    identity = _identity(task.parameters, source, data, engine, ranks)
    return Setup(
        parameters=parameters,
        facts=facts,
        model=replace(model, network=engine.network),
        engine=engine,
        data=data,
        length=length,
        steps=step_count(parameters, len(data.training)),
        dtype=arithmetic_dtype(parameters.dtype, ranks.device),
        checkpoints=Checkpoints(task.scratch / CHECKPOINTS, identity, ranks),
    )


def _compute_twice(network: Any) -> None:
    """Raises UnsupportedModel for a type that can't."""
    try:
        network.activation_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise UnsupportedModel(f"Parameter gradientCheckpointing: {error}") from error


def _settled(given: P, facts: ModelFacts, ranks: Ranks) -> P:
    """Raises BadParameter for a batch that doesn't go round."""
    check_batch(given, ranks.world_size // given.tensor_parallel)
    length = given.block_length or DEFAULT_BLOCK_LENGTH
    return settled(given, facts, length, ranks)


def _identity(
    given: TrainingParameters, source: ModelSource, data: Prepared, engine: Engine, ranks: Ranks
) -> Identity:
    return Identity(
        model=source.fingerprint(),
        data=data.fingerprint,
        parameters=binding(given),
        engine=engine.kind,
        portable=engine.portable,
        world_size=ranks.world_size,
    )


def _request(task: Task[P], source: ModelSource, ranks: Ranks) -> LoadRequest:
    """A head that the model lacks, or has for other labels, is made anew."""
    parameters = task.parameters
    name = source.task_name(parameters.task)
    return LoadRequest(
        folder=source.folder,
        task=name,
        labels=scan_labels(name, task.file_input(DATA), parameters.columns, ranks),
        new_head=True,
        seed=parameters.seed,
        tensor_parallel=parameters.tensor_parallel,
    )


def _data(task: Task[P], model: LoadedModel, length: int, ranks: Ranks) -> Prepared:
    parameters = task.parameters
    spec = DataSpec(
        length=length,
        packing=parameters.packing,
        held_out_samples=parameters.held_out_samples,
        seed=parameters.seed,
        columns=parameters.columns,
    )
    return prepare(task.file_input(DATA), model.task, spec, task.scratch, ranks)
