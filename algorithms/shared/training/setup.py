"""One attempt put together: the model in its engine, the data ready, the checkpoints' place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from algorithms.shared.data.base import DataSpec, Prepared
from algorithms.shared.data.prepare import prepare
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.ranks import Ranks
from algorithms.shared.training import engines
from algorithms.shared.training.checkpoints import Checkpoints
from algorithms.shared.training.engine import Engine
from algorithms.shared.training.label_scan import scan_labels
from algorithms.shared.training.manifest import Identity
from algorithms.shared.training.parameters import (
    P,
    binding,
    check_batch,
    step_count,
)
from algorithms.shared.training.precision import arithmetic_dtype
from algorithms.shared.training.source import ModelSource

DEFAULT_BLOCK_LENGTH = 512
CHECKPOINTS = "checkpoints"  # in scratch
DATA = "text"  # the input


@dataclass(frozen=True)
class Setup:
    """`length`: tokens an example; `steps`: of the whole run; `dtype`: of the arithmetic."""

    model: LoadedModel
    engine: Engine
    data: Prepared
    length: int
    steps: int
    dtype: torch.dtype
    checkpoints: Checkpoints


def set_up(task: Task[P], source: ModelSource, ranks: Ranks) -> Setup:
    """Called by all ranks. Raises the failures of algorithms.shared.failures."""
    parameters = task.parameters
    factory = engines.choose(parameters, ranks)
    with factory.loading():
        model = source.load(factory.request(_request(task, source, ranks)))
    length = model.window(parameters.block_length, DEFAULT_BLOCK_LENGTH)
    data = _data(task, model, length, ranks)
    if parameters.gradient_checkpointing:
        model.network.gradient_checkpointing_enable({"use_reentrant": False})
    engine = factory.engine(model)
    check_batch(parameters, engine.data_ranks)
    identity = Identity(
        model=source.fingerprint(),
        data=data.fingerprint,
        parameters=binding(parameters),
        engine=engine.kind,
        portable=engine.portable,
        world_size=ranks.world_size,
    )
    return Setup(
        model=replace(model, network=engine.network),
        engine=engine,
        data=data,
        length=length,
        steps=step_count(parameters, len(data.training)),
        dtype=arithmetic_dtype(parameters.dtype, ranks.device),
        checkpoints=Checkpoints(task.scratch / CHECKPOINTS, identity, ranks),
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
