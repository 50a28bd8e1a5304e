"""The extractive reader: where in each passage an answer to the question may start and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from algorithms.shared.failures import BadModel, OutOfMemory
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.spans import Logits, SpanLogits
from algorithms.shared.tasks.question_answering import QuestionAnswering


@dataclass(frozen=True, kw_only=True)
class Reading(SpanLogits):
    """One row of the reader's: a passage, or as much of it as the reader takes at once; `offsets`
    count the passage's characters."""

    passage: int


class Reader:
    """A model with a question-answering head."""

    def __init__(self, model: LoadedModel, length: int, rows_at_once: int) -> None:
        assert isinstance(model.task, QuestionAnswering)
        self._task = model.task
        self._network = model.network.eval()
        self._length = length
        self._rows_at_once = rows_at_once

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """Every row of every passage. Raises BadModel, OutOfMemory."""
        rows = [
            (number, row)
            for number, passage in enumerate(passages)
            for row in self._task.rows_of(question, passage, self._length)
        ]
        rows.sort(key=lambda numbered: len(numbered[1]["input_ids"]))
        pieces = range(0, len(rows), self._rows_at_once)
        try:
            found = [self._read(rows[first : first + self._rows_at_once]) for first in pieces]
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"The GPU's memory is too small for {self._rows_at_once} rows of {self._length} "
                f"tokens: lower batchRows or blockLength ({error})."
            ) from error
        return sorted((reading for batch in found for reading in batch), key=lambda r: r.passage)

    @torch.inference_mode()
    def _read(self, rows: Sequence[tuple[int, dict[str, Any]]]) -> list[Reading]:
        batch = self._task.collate([{**row, "start": 0, "end": 0} for _, row in rows])
        device = self._network.device
        outputs = self._task.outputs(self._network, {n: t.to(device) for n, t in batch.items()})
        starts, ends = (
            logits.double().cpu().numpy() for logits in (outputs.start_logits, outputs.end_logits)
        )
        if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
            raise BadModel("The reader's logits are no numbers: its weights are damaged.")
        return [
            _reading(number, row["offsets"], starts[place], ends[place])
            for place, (number, row) in enumerate(rows)
        ]


def _reading(
    passage: int, offsets: Sequence[tuple[int, int] | None], starts: Logits, ends: Logits
) -> Reading:
    """Without padding, which is on the right."""
    length = len(offsets)
    return Reading(passage=passage, offsets=offsets, starts=starts[:length], ends=ends[:length])
