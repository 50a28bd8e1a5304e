"""The model to train: a configuration, a tokenizer, and random weights from the seed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from algorithms.pretrain.architecture import chosen_task, new_config
from algorithms.pretrain.parameters import PretrainParameters
from algorithms.pretrain.vocabulary import texts_of, trained_tokenizer
from algorithms.shared.first_rank import Heart, waited_for
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.fresh import count_weights, make
from algorithms.shared.models.loading import read_config, read_tokenizer
from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.training.source import ModelSource, folder_fingerprint

DATA, TOKENIZER = "text", "tokenizer"  # the inputs
CHOOSING = (  # the parameters that the new model's folder depends on
    "task",
    "modelType",
    "layers",
    "hiddenSize",
    "heads",
    "context",
    "config",
    "vocabularySize",
    "columns",
    "seed",
)


class FreshModel(ModelSource):
    """`folder` holds config.json and the tokenizer, no weights."""

    def __init__(self, folder: Path, parameters: PretrainParameters) -> None:
        self.folder = folder
        self._parameters = parameters

    def facts(self) -> ModelFacts:
        """Counted on a model without memory."""
        config = read_config(self.folder)
        return ModelFacts(
            model_type=config.model_type,
            parameter_count=count_weights(config, self.task_name(self._parameters.task)),
            dtype=self._parameters.stored_dtype,
            config=config.to_dict(),
        )

    def task_name(self, wanted: str) -> TaskName:
        """By the type alone."""
        return chosen_task(wanted, self._parameters.model_type)

    def load(self, request: LoadRequest) -> LoadedModel:
        """Raises UnsupportedModel, VocabularyMismatch."""
        return make(request, getattr(torch, self._parameters.stored_dtype))

    def fingerprint(self) -> str:
        """Of configuration, tokenizer and seed."""
        digest = f"{folder_fingerprint(self.folder)} {self._parameters.seed}"
        return hashlib.sha256(digest.encode()).hexdigest()


def prepared(task: Task[PretrainParameters], ranks: Ranks) -> FreshModel:
    """On every rank; the first one makes the folder, unless an attempt before has. Raises
    BadParameter, UnsupportedModel, and what reading the data raises."""
    if not ranks.is_first:
        return FreshModel(Path(waited_for(ranks)), task.parameters)
    folder = task.scratch / f"new-model-{_key(task)}"
    if not folder.is_dir():
        _write(task, folder, Heart(ranks))
    Heart(ranks).stop(str(folder))
    return FreshModel(folder, task.parameters)


def _write(task: Task[PretrainParameters], folder: Path, heart: Heart) -> None:
    """Complete, or not there."""
    parameters, partial = task.parameters, folder.with_suffix(f".{os.getpid()}")
    name = chosen_task(parameters.task, parameters.model_type)
    tokenizer = _tokenizer(task, name, heart)
    config = new_config(parameters, name, tokenizer)
    shutil.rmtree(partial, ignore_errors=True)
    config.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.rename(folder)


def _tokenizer(task: Task[PretrainParameters], name: TaskName, heart: Heart) -> Any:
    """The one given, else one trained on the data."""
    if TOKENIZER in task.inputs:
        return read_tokenizer(task.file_input(TOKENIZER))
    parameters = task.parameters
    texts = _beating(texts_of(task.file_input(DATA), name, parameters.columns), heart)
    return trained_tokenizer(texts, parameters.vocabulary_size, name, parameters.context)


def _beating(texts: Iterator[str], heart: Heart) -> Iterator[str]:
    for text in texts:
        heart.beat()
        yield text


def _key(task: Task[PretrainParameters]) -> str:
    """Of all that the folder depends on: by hand, one scratch folder sees many runs."""
    every = msgspec.to_builtins(task.parameters)
    parts = [json.dumps({name: every[name] for name in CHOOSING}, sort_keys=True)]
    parts += [_input_key(task.inputs[name]) for name in (DATA, TOKENIZER) if name in task.inputs]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _input_key(path: Path) -> str:
    return folder_fingerprint(path) if path.is_dir() else f"{path} {path.stat().st_size}"
