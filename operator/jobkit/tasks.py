"""Several coroutines at once, ending with one exception that the caller can name."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from jobkit.errors import Fault

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first fault cancels the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in work]
    except BaseExceptionGroup as errors:
        raise first_fault(errors) from errors
    return [task.result() for task in tasks]


def first_fault(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that made a task group fail: a Fault before anything else."""
    leaves = _leaves(group)
    return next((leaf for leaf in leaves if isinstance(leaf, Fault)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
