"""A model as every algorithm holds it: the contract with those who load one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from algorithms.shared.failures import BadParameter
from algorithms.shared.tasks.base import ModelTask, TaskName

DEFAULT_CONTEXT = 1024  # tokens, for a model that doesn't say how many it takes
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")


@dataclass(frozen=True)
class LoadRequest:
    """What to load and how. `task` "auto": by the config's architectures. `device` None: leave it
    where it was made (DeepSpeed places it). `dtype` None: as stored. `labels`: those of the data
    (tasks.labels.labels_of). `new_head`: for training; a head that the folder lacks, or has for
    other labels, is made anew from `seed`. `tokenizer`: a folder, where it isn't the model's."""

    folder: Path
    task: TaskName | str = "auto"
    device: torch.device | None = None
    dtype: torch.dtype | None = None
    tensor_parallel: int = 1
    labels: tuple[str, ...] = ()
    new_head: bool = False
    seed: int = 0
    tokenizer: Path | None = None


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
        return context_of(self.network.config) - unused_positions(self.network)

    def window(self, wanted: int | None, default: int) -> int:
        """Tokens at once: as wanted, else the default if the model takes that many.

        Raises BadParameter if more are wanted than it takes.
        """
        if wanted is not None and wanted > self.context:
            raise BadParameter(
                f"Parameter blockLength: {wanted} tokens, but the model takes {self.context}."
            )
        return wanted or min(default, self.context)


def context_of(config: Any) -> int:
    """The most tokens at once; DEFAULT_CONTEXT for a config that names no limit."""
    text = config.get_text_config()
    limits = (getattr(text, name, None) for name in CONTEXT_NAMES)
    return next(
        (limit for limit in limits if isinstance(limit, int) and limit > 0), DEFAULT_CONTEXT
    )


def unused_positions(network: Any) -> int:
    """RoBERTa and its kin number their tokens from behind the padding's id."""
    for name, module in network.named_modules():
        numbered = name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
        if numbered and module.padding_idx is not None:
            return int(module.padding_idx) + 1
    return 0
