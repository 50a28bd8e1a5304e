"""Where a text ends: at the model's end token, before a stop string, or at the greatest length."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import StoppingCriteria

Decode = Callable[[Sequence[int]], str]
TAIL_TOKENS = 8  # more than a stop string has characters: tokens of no character of their own


@dataclass(frozen=True)
class Ending:
    """`tokens`: those generated, a stop string's included, the end token not."""

    text: str
    tokens: int
    finish: Literal["stop", "length"]


def ended(
    ids: Sequence[int], ends: Collection[int], stops: Sequence[str], decode: Decode
) -> Ending:
    """The text of generated tokens, and why it ended there. What follows an end is padding."""
    end = next((place for place, token in enumerate(ids) if token in ends), None)
    kept = ids[:end]
    text = decode(kept)
    cut = first_stop(text, stops)
    if cut is not None:
        return Ending(text[:cut], _tokens_until(kept, stops, decode), "stop")
    return Ending(text, len(kept), "length" if end is None else "stop")


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop string begins."""
    return min((text.index(stop) for stop in stops if stop in text), default=None)


def _tokens_until(ids: Sequence[int], stops: Sequence[str], decode: Decode) -> int:
    """How many tokens it took until a stop string was whole."""
    lengths = range(1, len(ids) + 1)
    stopped = bisect.bisect_left(
        lengths, True, key=lambda length: first_stop(decode(ids[:length]), stops) is not None
    )
    return lengths[stopped]


class StopStrings(StoppingCriteria):
    """Ends each row whose latest tokens hold a stop string; `start`: where new tokens begin."""

    def __init__(self, stops: Sequence[str], start: int, decode: Decode) -> None:
        self._stops = stops
        self._start = start
        self._decode = decode
        self._tail = TAIL_TOKENS + max(len(stop.encode()) for stop in stops)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        new = input_ids[:, self._start :].tolist()
        return torch.tensor([self._stops_in(ids) for ids in new], device=input_ids.device)

    def _stops_in(self, ids: list[int]) -> bool:
        """By the last tokens, which is quick; then by all, as they are read in the end."""
        tails = (ids[-self._tail :], ids)
        return all(first_stop(self._decode(part), self._stops) is not None for part in tails)
