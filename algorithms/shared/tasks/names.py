"""The tasks' names; without torch, so that parameters can be read before it is loaded."""

from __future__ import annotations

from typing import Literal

TaskName = Literal[
    "causal-lm",
    "masked-lm",
    "seq2seq-lm",
    "sequence-classification",
    "token-classification",
    "question-answering",
]
