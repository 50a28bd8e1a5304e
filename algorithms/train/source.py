"""The model to train: a folder as transformers writes it, with adapters if they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.heads import choose_task
from algorithms.shared.models.loading import load, read_config
from algorithms.shared.preflight.facts import ModelFacts
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.training.precision import arithmetic_dtype
from algorithms.shared.training.source import ModelSource, folder_fingerprint, save_whole
from algorithms.shared.training.zero_auto import folder_facts
from algorithms.train.parameters import TrainParameters

if TYPE_CHECKING:
    from algorithms.shared.models.lora import LoraSettings

ADAPTER_FOLDER = "adapter"  # in the model's


def source_of(folder: Path, parameters: TrainParameters) -> ModelSource:
    """By whether there are to be adapters."""
    return LoraModel(folder, parameters) if parameters.lora_rank else FolderModel(folder)


class FolderModel(ModelSource):
    """The input named `model`, every weight of it trained."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def facts(self) -> ModelFacts:
        """From config and headers."""
        return folder_facts(self.folder)

    def task_name(self, wanted: str) -> TaskName:
        """By the config alone."""
        return choose_task(wanted, read_config(self.folder))

    def load(self, request: LoadRequest) -> LoadedModel:
        """Raises BadModel, UnsupportedModel, VocabularyMismatch."""
        return load(request)

    def fingerprint(self) -> str:
        """Of all its files."""
        return folder_fingerprint(self.folder)


class LoraModel(FolderModel):
    """The same, but only adapters are trained; what is saved is whole again.

    peft is imported where it is used: it takes half a second.
    """

    def __init__(self, folder: Path, parameters: TrainParameters) -> None:
        super().__init__(folder)
        self._parameters = parameters

    def load(self, request: LoadRequest) -> LoadedModel:
        """Frozen weights are held in the dtype of the arithmetic: nothing is added to them."""
        from algorithms.shared.models.lora import with_adapters

        if request.device is not None:
            dtype = arithmetic_dtype(self._parameters.dtype, request.device)
            request = replace(request, dtype=dtype)
        model = load(request)
        network = with_adapters(model.network, model.task.name, self._settings())
        return replace(model, network=network)

    def _settings(self) -> LoraSettings:
        from algorithms.shared.models.lora import LoraSettings

        given = self._parameters
        return LoraSettings(
            rank=given.lora_rank,
            alpha=given.lora_alpha or 2 * given.lora_rank,
            dropout=given.lora_dropout,
            targets=given.lora_targets,
            seed=given.seed,
        )

    def save(self, model: LoadedModel, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
        """Merged; beside it the adapter, if it is to be kept."""
        from algorithms.shared.models.lora import merged_weights, save_adapter

        bare = replace(model, network=model.network.get_base_model())
        save_whole(bare, merged_weights(model.network, weights), folder)
        if self._parameters.lora_keep_adapter:
            save_adapter(model.network, weights, folder / ADAPTER_FOLDER)
