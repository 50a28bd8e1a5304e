"""What a tokenised data set is known by: everything that its tokens depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from algorithms.shared.data.base import DataSpec
from algorithms.shared.data.files import data_files
from algorithms.shared.tasks.base import ModelTask, PackableTask

FORMAT = 1  # of the files in scratch and of how they are made: raise it when either changes
READ_BYTES = 2**20


def fingerprint(
    path: Path, task: ModelTask, spec: DataSpec, between_reads: Callable[[], None]
) -> str:
    """sha256 of the content, the tokenizer, the task and the spec. Reads every file once."""
    facts = {
        "format": FORMAT,
        "files": [[name, _digest(file, between_reads)] for name, file in data_files(path)],
        "task": [task.name, isinstance(task, PackableTask)],
        "settings": task.settings(),
        "tokenizer": tokenizer_facts(task.tokenizer),
        "spec": msgspec.to_builtins(spec),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def tokenizer_facts(tokenizer: Any) -> Mapping[str, Any]:
    """Its pipeline, where it has one in the tokenizers library; else its vocabulary."""
    pipeline = getattr(tokenizer, "backend_tokenizer", None)
    return {
        "class": type(tokenizer).__name__,
        "pipeline": tokenizer.get_vocab() if pipeline is None else _pipeline_facts(pipeline),
        "special": {name: str(token) for name, token in tokenizer.special_tokens_map.items()},
    }


def _pipeline_facts(pipeline: Any) -> Mapping[str, Any]:
    """Without what the latest call left behind in it."""
    facts: dict[str, Any] = json.loads(pipeline.to_str())
    return {name: fact for name, fact in facts.items() if name not in ("truncation", "padding")}


def _digest(file: Path, between_reads: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(READ_BYTES):
            digest.update(piece)
            between_reads()
    return digest.hexdigest()
