"""What the log shows while texts are generated: each one as it ends, a single one as it grows.

A line of a text begins with "| ": whatever a model writes, it can't be taken for a line of
progress or failure.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import torch

from algorithms.generate.batches import Row
from algorithms.generate.prompts import Prompt
from algorithms.generate.stopping import Ending
from algorithms.shared.progress import Progress

SHOWN_CHARACTERS = 200
INTERVAL_SECONDS = 1.0  # how often tokens are fetched to be looked at
Ended = Callable[[Sequence[int]], Ending]


class Told:
    """Of one rank; `speaks` is false on all but the first. `shows`: texts, not only figures."""

    def __init__(
        self, prompts: Sequence[Prompt], rows: int, new_tokens: int, speaks: bool, shows: bool
    ) -> None:
        self._prompts = prompts
        self._new_tokens = new_tokens  # of a row at most; one that ends early counts as all of them
        self._progress = Progress(rows * new_tokens, enabled=speaks)
        self._shows = speaks and shows
        self._started_at = time.monotonic()
        self._rows = self._texts = self._tokens = 0  # of rows that have ended

    def grows(self, live: int, step: int) -> None:
        """A batch, `live` of whose rows have not ended and have `step` new tokens each."""
        spent = self._rows * self._new_tokens + live * step
        self._report(spent, self._tokens + live * step)

    def ends(self, row: Row, endings: Sequence[Ending]) -> None:
        """A row is done."""
        self._rows += 1
        self._texts += len(endings)
        self._tokens += sum(ending.tokens for ending in endings)
        if self._shows:
            for number, ending in enumerate(endings, start=row.sample):
                print(_line(self._prompts[row.prompt], number, ending), flush=True)
        self._report(self._rows * self._new_tokens, self._tokens)

    def _report(self, spent: int, tokens: int) -> None:
        seconds = max(time.monotonic() - self._started_at, 1e-9)
        figures = {"texts": self._texts, "tokensPerSecond": tokens / seconds}
        self._progress.report(spent, figures)


def _line(prompt: Prompt, sample: int, ending: Ending) -> str:
    said = f"| {prompt.id} [{sample}] {ending.tokens} tokens, {ending.finish}: "
    return said + f"{_quoted(prompt.text, -60)} → {_quoted(ending.text, SHOWN_CHARACTERS)}"


def _quoted(text: str, characters: int) -> str:
    """On one line; the beginning, or the end if `characters` is negative."""
    if len(text) <= abs(characters):
        return json.dumps(text, ensure_ascii=False)
    shown = "…" + text[characters:] if characters < 0 else text[:characters] + "…"
    return json.dumps(shown, ensure_ascii=False)


class Follower:
    """Follows one batch, and tells of each row once: when it is seen to have ended."""

    def __init__(self, told: Told, rows: Sequence[Row], ending: Ended | None) -> None:
        """`ending` None: rows can't be told apart before the batch is done (beams)."""
        self._told = told
        self._live = dict(enumerate(rows))
        self._ending = ending
        self._looked_at = time.monotonic()
        self._step = 0

    def count(self, start: int, ids: torch.Tensor) -> None:
        """Tokens [rows, …], new ones from `start` on; says nothing."""
        self._step = ids.shape[1] - start

    def on_step(self, start: int, ids: torch.Tensor) -> None:
        """Tells how far the batch is. Tokens are fetched once in a while only: a GPU would have to
        wait for it."""
        self.count(start, ids)
        now = time.monotonic()
        if now - self._looked_at >= INTERVAL_SECONDS:
            self._looked_at = now
            self._look(ids[:, start:].tolist())
            self.report()

    def report(self) -> None:
        """How far the batch is."""
        self._told.grows(len(self._live), self._step)

    def finish(self, endings: Sequence[Sequence[Ending]]) -> None:
        """The batch is done: tell of every row of which nothing was told yet."""
        for number, row in self._live.items():
            self._told.ends(row, endings[number])
        self._live = {}

    def _look(self, new: Sequence[Sequence[int]]) -> None:
        if self._ending is None:
            return
        found = {number: self._ending(new[number]) for number in self._live}
        for number, ending in found.items():
            if ending.finish == "stop":
                self._told.ends(self._live.pop(number), [ending])
