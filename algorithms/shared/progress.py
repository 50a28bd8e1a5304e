"""How far the algorithm is: one JSON object a line on stdout, or one live line for a person.

A job's log is a pipe: it gets the lines that the launcher reads. A person at a terminal sees one
line that moves, and no JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from math import isfinite


class Progress:
    """Tells at most once in `interval_seconds`, and always the last step; silent on other ranks.

    `done_steps`: of an earlier attempt, so that they don't count as this one's speed.
    """

    def __init__(
        self,
        total_steps: int,
        enabled: bool = True,
        interval_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        done_steps: int = 0,
    ) -> None:
        self._total_steps = total_steps
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._done_steps = done_steps
        self._started_at = clock()
        self._told_at = -float("inf")
        self._tellers = _tellers(total_steps) if enabled else []

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """`step` steps of the total are done; `metrics` are the latest figures."""
        now = self._clock()
        if step < self._total_steps and now - self._told_at < self._interval_seconds:
            return
        self._told_at = now
        eta_seconds = self._eta_seconds(step, now)
        figures = {name: float(f"{v:.6g}") for name, v in metrics.items() if isfinite(v)}
        for tell in self._tellers:
            tell(step, eta_seconds, figures)

    def _eta_seconds(self, step: int, now: float) -> float | None:
        own_steps = step - self._done_steps
        if own_steps < 1:
            return None
        return round((now - self._started_at) / own_steps * (self._total_steps - step), 1)


Tell = Callable[[int, float | None, Mapping[str, float]], None]


def _tellers(total_steps: int) -> list[Tell]:
    """Lines for a program that reads them, a live line for a person; both where both are there."""
    tellers: list[Tell] = []
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        tellers.append(_line_teller(total_steps))
    if sys.stderr.isatty():
        from algorithms.shared.live_line import LiveLine

        tellers.append(LiveLine(total_steps).show)
    return tellers


def _line_teller(total_steps: int) -> Tell:
    def tell(step: int, eta_seconds: float | None, metrics: Mapping[str, float]) -> None:
        fields = {
            "posthuman": "progress",
            "percent": round(100 * step / total_steps, 1),
            "step": step,
            "totalSteps": total_steps,
            "etaSeconds": eta_seconds,
            "metrics": metrics,
        }
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()

    return tell
