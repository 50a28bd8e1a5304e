"""A model that nobody has trained yet: its configuration, and random weights from a seed."""

from __future__ import annotations

from typing import Any

import torch

from algorithms.shared.failures import UnsupportedModel
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.heads import AUTO_CLASSES, choose_task
from algorithms.shared.models.loading import (
    LOADING_ERRORS,
    first_line,
    prepare_config,
    read_config,
    read_tokenizer,
    refuse_known,
    task_of,
)
from algorithms.shared.models.vocabulary import check_vocabulary
from algorithms.shared.preflight.model_types import model_types
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.tasks.inputs import padding_token


def make(request: LoadRequest, stored: torch.dtype) -> LoadedModel:
    """As `load`, of a folder without weights. The same seed makes the same weights, computed on
    the CPU in float32. Raises UnsupportedModel, VocabularyMismatch."""
    if request.tensor_parallel > 1:
        raise UnsupportedModel("A new model can't be cut as it is made: set zero to 3 instead.")
    config = read_config(request.folder)
    name = choose_task(request.task, config)
    refuse_known(config.model_type, name, model_types())
    tokenizer = read_tokenizer(request.tokenizer or request.folder)
    prepare_config(config, name, request, padding_token(tokenizer))
    torch.manual_seed(request.seed)
    network = _network(config, name, torch.float32).eval()
    check_vocabulary(tokenizer, network)
    network.to(device=request.device, dtype=request.dtype or stored)
    return LoadedModel(network, tokenizer, task_of(name, tokenizer, network), stored)


def count_weights(config: Any, name: TaskName) -> int:
    """Of a model of this configuration, without the memory for it; tied ones once."""
    with torch.device("meta"):
        network = _network(config, name, torch.float32)
    return sum(weight.numel() for weight in network.parameters())


def _network(config: Any, name: TaskName, dtype: torch.dtype) -> Any:
    try:
        return AUTO_CLASSES[name].from_config(config, dtype=dtype)
    except LOADING_ERRORS as error:
        raise UnsupportedModel(
            f"transformers makes no {config.model_type} of this config: {first_line(error)}"
        ) from error
