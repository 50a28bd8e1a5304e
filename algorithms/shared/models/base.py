"""A model as every algorithm holds it: the contract with those who load one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from algorithms.shared.failures import BadParameter
from algorithms.shared.tasks.base import ModelTask, TaskName

DEFAULT_CONTEXT = 1024  # tokens, for a model that doesn't say how many it takes


@dataclass(frozen=True)
class LoadRequest:
    """What to load and how. `task` "auto": by the config's architectures. `device` None: leave it
    where it was made (DeepSpeed places it). `dtype` None: as stored."""

    folder: Path
    task: TaskName | str = "auto"
    device: torch.device | None = None
    dtype: torch.dtype | None = None
    tensor_parallel: int = 1


@dataclass(frozen=True)
class LoadedModel:
    """`stored_dtype`: that of the weights in the folder, and of those that are saved again."""

    network: Any  # PreTrainedModel; transformers' own types don't pass a strict checker
    tokenizer: Any
    task: ModelTask
    stored_dtype: torch.dtype

    @property
    def context(self) -> int:
        """The most tokens it takes at once."""
        return int(getattr(self.network.config, "max_position_embeddings", DEFAULT_CONTEXT))

    def window(self, wanted: int | None, default: int) -> int:
        """Tokens at once: as wanted, else the default if the model takes that many.

        Raises BadParameter if more are wanted than it takes.
        """
        if wanted is not None and wanted > self.context:
            raise BadParameter(
                f"Parameter blockLength: {wanted} tokens, but the model takes {self.context}."
            )
        return wanted or min(default, self.context)
