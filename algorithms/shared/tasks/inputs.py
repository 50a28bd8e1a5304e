"""How one model takes its text: what every task needs of the tokenizer and of the config."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from algorithms.shared.tasks.base import IGNORED, Batch, Example, MalformedRecord

OPTIONAL_ARGUMENTS = frozenset({"attention_mask", "token_type_ids", "use_cache"})


@dataclass(frozen=True)
class ModelInputs:
    """`padding` fills rows up, to a length that is a multiple of `multiple`. `accepted`: those of
    OPTIONAL_ARGUMENTS that the network's forward takes. `labels`: a classifier's, in order."""

    tokenizer: Any
    padding: int = 0
    multiple: int = 1
    accepted: frozenset[str] = OPTIONAL_ARGUMENTS
    decoder_start: int = 0
    labels: tuple[str, ...] = ()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's, without special ones."""
        encoded = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)
        return [list(ids) for ids in encoded["input_ids"]]

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The special tokens before and behind one text."""
        sample = self.tokenizer("a", return_special_tokens_mask=True)
        special = [bool(flag) for flag in sample["special_tokens_mask"]]
        begin = special.index(False) if False in special else len(special)
        end = len(special) - special[::-1].index(False) if False in special else len(special)
        return list(sample["input_ids"][:begin]), list(sample["input_ids"][end:])

    def rows(self, sequences: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
        """[rows, longest]; short ones are filled up on the right."""
        longest = max(len(sequence) for sequence in sequences)
        width = -(-longest // self.multiple) * self.multiple
        filled = np.full((len(sequences), width), fill, dtype=np.int64)
        for number, sequence in enumerate(sequences):
            filled[number, : len(sequence)] = sequence
        return torch.from_numpy(filled)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """`input_ids`; an attention mask only where something is padded, for it costs time."""
        batch = {"input_ids": self.rows([e["input_ids"] for e in examples], self.padding)}
        mask = self.rows([[1] * len(e["input_ids"]) for e in examples], 0)
        if "attention_mask" in self.accepted and not bool(mask.all()):
            batch["attention_mask"] = mask
        if "token_type_ids" in self.accepted and "token_type_ids" in examples[0]:
            batch["token_type_ids"] = self.rows([e["token_type_ids"] for e in examples], 0)
        return batch

    def forward(self, network: Any, batch: Batch, without: frozenset[str], **more: Any) -> Any:
        """The network's outputs on all of the batch but the targets."""
        cacheless = {"use_cache": False} if "use_cache" in self.accepted else {}
        arguments = {name: tensor for name, tensor in batch.items() if name not in without}
        return network(**arguments, **cacheless, **more)


def model_inputs(
    tokenizer: Any, config: Any, forward: Any, labels: Sequence[str] = ()
) -> ModelInputs:
    """Of a loaded model: its tokenizer, config and its class's `forward`."""
    return ModelInputs(
        tokenizer=tokenizer,
        padding=padding_token(tokenizer),
        multiple=row_multiple(config),
        accepted=OPTIONAL_ARGUMENTS & inspect.signature(forward).parameters.keys(),
        decoder_start=_first_known(
            getattr(config, "decoder_start_token_id", None),
            getattr(config, "bos_token_id", None),
            tokenizer.pad_token_id,
            tokenizer.eos_token_id,
            0,
        ),
        labels=tuple(labels),
    )


def padding_token(tokenizer: Any) -> int:
    """Its own, else the one that ends a text, else 0: rows carry a mask where it matters."""
    return _first_known(tokenizer.pad_token_id, tokenizer.eos_token_id, 0)


def row_multiple(config: Any) -> int:
    """What a row's length must divide by.

    Reformer trains on whole chunks only, and with axial positions on the one length that they are
    made for (Kitaev et al. 2020, sections 2 and 4). Perceiver says something of every position.
    """
    kind = getattr(config, "model_type", "")
    if kind == "perceiver":
        return int(config.max_position_embeddings)
    if kind != "reformer":
        return 1
    if config.axial_pos_embds:
        return math.prod(config.axial_pos_shape)
    lengths = {"lsh": config.lsh_attn_chunk_length, "local": config.local_attn_chunk_length}
    return math.lcm(*(lengths[layer] for layer in set(config.attn_layers)))


def text_of(fields: Mapping[str, Any], column: str) -> str:
    """Raises MalformedRecord unless the column holds a string."""
    value = fields.get(column)
    if not isinstance(value, str):
        raise MalformedRecord(f"{column} is {_shown(value)}: it must be a string.")
    return value


def list_of(fields: Mapping[str, Any], column: str) -> list[Any]:
    """Raises MalformedRecord unless the column holds a list."""
    value = fields.get(column)
    if not isinstance(value, list):
        raise MalformedRecord(f"{column} is {_shown(value)}: it must be a list.")
    return value


def nll_sum(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Nats over every target but IGNORED; logits [..., classes], targets [...]."""
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, -2).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def count_targets(targets: torch.Tensor) -> int:
    """Those that aren't IGNORED."""
    return int((targets != IGNORED).sum())


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]


def _first_known(*values: int | None) -> int:
    return next(value for value in values if value is not None)
