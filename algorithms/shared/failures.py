"""What the person who started the algorithm can put right, each with an exit code of its own.

Failure
├── BadParameter      10  a parameter is unknown, of the wrong type or out of range
├── MissingInput      11  an input folder or file isn't there
├── EmptyDataset      12  no usable text
├── MalformedDataset  13  a line that can't be read; the message names file and line
├── BadModel          14  no causal language model in safetensors with its tokenizer
├── NaNLoss           15  training diverged
├── OutOfMemory       16  the accelerator's memory doesn't hold the batch
├── VocabularyMismatch 17 the tokenizer has tokens that the model has no row for
├── UnsupportedModel  18  this model type can't do this task, or not in this way
├── DoesNotFit        19  by the estimate, the hardware's memory is too small
└── CheckpointMismatch 20 a checkpoint of other data, parameters, model or number of ranks
Anything else is a fault of the algorithm or the machine: exit code 1, `userError` false.
"""

from __future__ import annotations

import json
import sys


class Failure(Exception):
    """Base; `str()` says what is wrong, where, and what to do next."""

    exit_code = 1

    @property
    def reason(self) -> str:
        """One CamelCase word."""
        return type(self).__name__


class BadParameter(Failure):
    """A parameter is unknown, of the wrong type or out of range."""

    exit_code = 10


class MissingInput(Failure):
    """An input folder or file isn't there."""

    exit_code = 11


class EmptyDataset(Failure):
    """The data set holds no usable text."""

    exit_code = 12


class MalformedDataset(Failure):
    """A line of the data set can't be read."""

    exit_code = 13


class BadModel(Failure):
    """The folder holds no usable causal language model."""

    exit_code = 14


class NaNLoss(Failure):
    """The loss is no finite number any more."""

    exit_code = 15


class OutOfMemory(Failure):
    """The accelerator's memory is too small for the batch."""

    exit_code = 16


class VocabularyMismatch(Failure):
    """The tokenizer makes tokens that the model has no row for."""

    exit_code = 17


class UnsupportedModel(Failure):
    """The model's type can't do what is asked of it."""

    exit_code = 18


class DoesNotFit(Failure):
    """The estimate says that the memory is too small."""

    exit_code = 19


class CheckpointMismatch(Failure):
    """A checkpoint that this run can't go on from."""

    exit_code = 20


def announce(reason: str, message: str, user_error: bool) -> None:
    """Print the failure line that a launcher picks out of the log; one write, so lines stay whole.

    A message is cut at 2,000 characters: with the rest it fits into one atomic write to a pipe.
    """
    fields = {"reason": reason, "message": message[:2000], "userError": user_error}
    sys.stdout.write(json.dumps({"posthuman": "failure", **fields}) + "\n")
    sys.stdout.flush()
