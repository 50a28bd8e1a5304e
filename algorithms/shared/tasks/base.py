"""What training, evaluation and data preparation need of a task: the contract between them.

A loss is a sum in nats over targets, never a mean: a step's loss is the sum over all ranks divided
by the number of targets, so it is the same on any number of ranks and for any cut into parts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from algorithms.shared.tasks.names import TaskName as TaskName

Example = Mapping[str, Any]  # one row: `input_ids` (list of int), and what else the task needs
Batch = dict[str, torch.Tensor]  # [rows, …]; what `forward` takes, and the targets
IGNORED = -100  # a target that counts for nothing: padding


class ModelTask(ABC):
    """One task with the tokenizer of the model it is done on. Immutable, and made on every rank."""

    name: ClassVar[TaskName]
    columns: ClassVar[tuple[str, ...]]  # that a record must have: ("text",), ("source", "target")
    optional: ClassVar[tuple[str, ...]] = ()  # that it may have besides; others are not read
    tokenizer: Any  # PreTrainedTokenizer; transformers' own types don't pass a strict checker

    @abstractmethod
    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        """The examples of one record, each of `length` tokens at most (a long one gives
        several). Raises MalformedRecord if a column has the wrong type."""

    @abstractmethod
    def collate(self, examples: Sequence[Example]) -> Batch:
        """Padded to the longest, with attention mask and targets; the same on every rank. Random
        choices (masking) come from the example alone: its `seed`, set when it was made."""

    @abstractmethod
    def targets(self, batch: Batch) -> int:
        """How many targets count in the batch."""

    @abstractmethod
    def outputs(self, network: Any, batch: Batch) -> Any:
        """The network's forward on the batch without its targets."""

    @abstractmethod
    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        """Nats over every target that counts, a scalar with a gradient."""

    def settings(self) -> Mapping[str, Any]:
        """What `encode` depends on besides the tokenizer (labels, a prefix), as JSON takes it: a
        data set tokenised under other settings is tokenised anew."""
        return {}


class PackableTask(ModelTask):
    """A task whose records are one stream of tokens, which may be cut anywhere into blocks.

    Block i of blocks of `length` is `stream[i * length : (i + 1) * length + overlap]`; the last may
    be shorter, and has more than `overlap` tokens.
    """

    overlap: ClassVar[int] = 0  # tokens that are context in one block and targets in another

    @abstractmethod
    def streams(self, records: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        """Each record's tokens with what begins and ends it; many at once, for speed. Raises
        MalformedRecord."""

    @abstractmethod
    def block(self, tokens: Sequence[int]) -> Example:
        """A piece of the stream as an example."""


class MalformedRecord(ValueError):
    """A record that the task can't use; the message says which column and why, not where."""
