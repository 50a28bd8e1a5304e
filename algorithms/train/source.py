"""The model to train: a folder as transformers writes it."""

from __future__ import annotations

from pathlib import Path

from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.heads import choose_task
from algorithms.shared.models.loading import load, read_config
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.training.source import ModelSource, folder_fingerprint


class FolderModel(ModelSource):
    """The input named `model`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def task_name(self, wanted: str) -> TaskName:
        """By the config alone."""
        return choose_task(wanted, read_config(self.folder))

    def load(self, request: LoadRequest) -> LoadedModel:
        """Raises BadModel, UnsupportedModel, VocabularyMismatch."""
        return load(request)

    def fingerprint(self) -> str:
        """Of all its files."""
        return folder_fingerprint(self.folder)
