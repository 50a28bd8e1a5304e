"""How far the algorithm is, as one JSON object a line on stdout, among its free text."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from math import isfinite


class Progress:
    """Prints at most one line in `interval_seconds`, and always the last; silent on other ranks."""

    def __init__(
        self,
        total_steps: int,
        enabled: bool = True,
        interval_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total_steps = total_steps
        self._enabled = enabled
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._started_at = clock()
        self._printed_at = -float("inf")

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """`step` steps of the total are done; `metrics` are the latest figures."""
        now = self._clock()
        due = now - self._printed_at >= self._interval_seconds or step == self._total_steps
        if self._enabled and due:
            self._printed_at = now
            sys.stdout.write(json.dumps(self._fields(step, metrics, now)) + "\n")
            sys.stdout.flush()

    def _fields(self, step: int, metrics: Mapping[str, float], now: float) -> dict[str, object]:
        seconds_a_step = (now - self._started_at) / max(step, 1)
        return {
            "posthuman": "progress",
            "percent": round(100 * step / self._total_steps, 1),
            "step": step,
            "totalSteps": self._total_steps,
            "etaSeconds": round(seconds_a_step * (self._total_steps - step), 1) if step else None,
            "metrics": {
                n: float(f"{value:.6g}") for n, value in metrics.items() if isfinite(value)
            },
        }
