"""Tiny models in folders, with a tokenizer of bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from algorithms.shared.tasks.base import TaskName
from tests.algorithms.models.tokens import byte_tokenizer
from tests.algorithms.models.trial import tiny_model, variants

Saved = Callable[[str, TaskName], Path]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """`saved("llama", "causal-lm")`: the folder of a tiny random model; not to be written to."""
    folders: dict[tuple[str, TaskName], Path] = {}

    def make(model_type: str, task: TaskName) -> Path:
        key = (model_type, task)
        if key not in folders:
            folder = folders[key] = tmp_path_factory.mktemp(f"{model_type}-{task}")
            tokenizer = byte_tokenizer()
            sizes = variants(len(tokenizer))[0]
            tiny_model(model_type, task, sizes, tokenizer).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return folders[key]

    return make
