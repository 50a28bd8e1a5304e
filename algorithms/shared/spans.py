"""The likeliest answers in one row of an extractive reader's (Devlin et al. 2019, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SpanLogits:
    """Of every token: `starts` and `ends`, the logits that the answer starts or ends there, and
    `offsets`, its characters in the text (None: it is none of the text's)."""

    offsets: Sequence[tuple[int, int] | None]
    starts: Logits
    ends: Logits

    @property
    def no_answer(self) -> float:
        """The logit that there is none: a reader points to the first token then."""
        return float(self.starts[0] + self.ends[0])

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """The tokens that an answer may have."""
        return np.array([place is not None and place[1] > place[0] for place in self.offsets])


def spans(reading: SpanLogits, longest: int, most: int) -> Iterator[tuple[float, int, int]]:
    """(Sum of the two logits, first character, character behind the last one): for each of the
    `most` best first tokens its best last token, of `longest` tokens at most."""
    inside = reading.inside
    starts = np.where(inside, reading.starts, -np.inf)
    ends = np.where(inside, reading.ends, -np.inf)
    beyond = np.concatenate([ends, np.full(longest - 1, -np.inf)])
    windows = np.lib.stride_tricks.sliding_window_view(beyond, longest)  # [tokens, longest]
    sums = starts + windows.max(axis=1)
    for first in np.argsort(-sums, kind="stable")[:most]:
        begin, last = reading.offsets[first], reading.offsets[first + windows[first].argmax()]
        if np.isfinite(sums[first]) and begin and last:
            yield float(sums[first]), begin[0], last[1]
