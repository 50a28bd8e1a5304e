"""Where the model of a run comes from and how it is saved: a folder, or a config alone.

`train` reads a model's folder (and may put adapters on it); `pretrain` makes one from a config.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.tasks.base import TaskName

PROBES = 16  # places of a large file that its fingerprint looks at
PROBE_BYTES = 1 << 20


class ModelSource(ABC):
    """Made on every rank; `folder` is what a LoadRequest names."""

    folder: Path

    @abstractmethod
    def facts(self) -> ModelFacts:
        """Type, size and dtype, before anything large is loaded."""

    @abstractmethod
    def task_name(self, wanted: str) -> TaskName:
        """`auto` resolved, before anything large is loaded. Raises UnsupportedModel."""

    @abstractmethod
    def load(self, request: LoadRequest) -> LoadedModel:
        """The model to train, with adapters if it is to have them; the same on every rank."""

    @abstractmethod
    def fingerprint(self) -> str:
        """sha256 of what the model before the first step depends on."""

    def save(self, model: LoadedModel, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
        """On rank 0: what `load` reads again; `weights` are `Engine.full_weights`."""
        save_whole(model, weights, folder)


def save_whole(model: LoadedModel, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Config, tokenizer, and the weights in the dtype they came in."""
    tied = _tied_names(model.network, weights)
    stored = {n: _stored(w, model.stored_dtype) for n, w in weights.items() if n not in tied}
    model.network.save_pretrained(folder, state_dict=stored)
    model.network.config.dtype = model.stored_dtype  # not that of the arithmetic
    model.network.config.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)


def _tied_names(network: Any, weights: Mapping[str, torch.Tensor]) -> set[str]:
    """Of weights that are another's again: they are saved once, as transformers itself does."""
    pairs: Mapping[str, str] = network.all_tied_weights_keys
    both = {name: other for name, other in pairs.items() if {name, other} <= weights.keys()}
    return {name for name, other in both.items() if torch.equal(weights[name], weights[other])}


def _stored(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return weight.to(dtype) if weight.is_floating_point() else weight


def folder_fingerprint(folder: Path) -> str:
    """sha256 over names, sizes and content; of large files sixteen places, for an input doesn't
    change: this only tells one model from another."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(folder)} {file.stat().st_size}\n".encode())
        for piece in _probes(file):
            digest.update(piece)
    return digest.hexdigest()


def _probes(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    step = max(PROBE_BYTES, size // PROBES)
    with file.open("rb") as content:
        for start in range(0, size, step):
            content.seek(start)
            yield content.read(PROBE_BYTES)
