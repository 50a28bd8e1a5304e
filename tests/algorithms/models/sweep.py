"""Every model type in a process of its own, within a time limit: a crash costs one type."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
import transformers

from algorithms.shared.models.heads import CLASS_NAMES, tasks_of
from algorithms.shared.tasks.base import TaskName
from tests.algorithms.models.trial import try_type

LIMIT_SECONDS = 90.0  # a type, all its tasks
Results = dict[str, dict[TaskName, str]]


@dataclass
class Running:
    """One type's process."""

    model_type: str
    process: Any
    results: Connection
    ends_at: float = field(default_factory=lambda: time.monotonic() + LIMIT_SECONDS)


def all_types() -> list[str]:
    """Those with a head for one of the six tasks."""
    return sorted(set().union(*CLASS_NAMES.values()))


def sweep(
    types: Sequence[str], workers: int, on_done: Callable[[str, dict[TaskName, str], float], None]
) -> Results:
    """Each type's tasks; "" or the reason."""
    waiting = list(types)
    results: Results = {}
    running: list[Running] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(_start(waiting.pop(0)))
        for done, outcome in list(_finished(running)):
            running.remove(done)
            results[done.model_type] = outcome
            on_done(done.model_type, outcome, time.monotonic() - done.ends_at + LIMIT_SECONDS)
    return results


def _start(model_type: str) -> Running:
    """Forked: the child has torch and transformers already."""
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe(duplex=False)
    process = forks.Process(target=_try, args=(model_type, theirs))
    process.start()
    theirs.close()
    return Running(model_type, process, ours)


def _try(model_type: str, results: Connection) -> None:
    torch.set_num_threads(1)
    results.send(try_type(model_type))


def _finished(running: list[Running]) -> Iterator[tuple[Running, dict[TaskName, str]]]:
    ready = wait([each.results for each in running], timeout=1.0)
    for each in running:
        if each.results in ready:
            yield each, _received(each)
        elif time.monotonic() > each.ends_at:
            each.process.kill()
            each.process.join()
            yield each, _all(each, f"not done within {LIMIT_SECONDS:.0f} s")


def _received(each: Running) -> dict[TaskName, str]:
    try:
        outcome: dict[TaskName, str] = each.results.recv()
    except EOFError:
        each.process.join()
        return _all(each, f"its process ended with exit code {each.process.exitcode}")
    each.process.join()
    return outcome


def _all(each: Running, reason: str) -> dict[TaskName, str]:
    return dict.fromkeys(tasks_of(each.model_type), reason)


def main(types: Sequence[str]) -> Results:
    """Prints each type as it is done."""

    def show(model_type: str, outcome: dict[TaskName, str], seconds: float) -> None:
        bad = {task: reason for task, reason in outcome.items() if reason}
        print(f"{model_type} {seconds:.1f} s: {bad or 'ok'}", flush=True)

    reports: Any = transformers.utils.logging
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    torch.set_num_threads(1)
    try_type("llama")  # imports what every child would import again
    return sweep(types or all_types(), 2, show)


if __name__ == "__main__":
    found = main(sys.argv[1:])
    working = [t for t, tasks in found.items() if any(not reason for reason in tasks.values())]
    print(f"{len(working)} of {len(found)} types work for one task at least")
