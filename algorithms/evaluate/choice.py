"""Which samples are scored: the same for every model of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from algorithms.evaluate.judges.base import Judge
from algorithms.evaluate.parameters import EvaluateParameters
from algorithms.shared.data.base import Record
from algorithms.shared.data.draw import choose
from algorithms.shared.data.records import read_records
from algorithms.shared.failures import BadParameter, EmptyDataset
from algorithms.shared.inputs import Task
from algorithms.shared.models.heads import choose_task
from algorithms.shared.models.loading import read_config
from algorithms.shared.tasks.names import TaskName

TEXT = "text"  # the input's name, and the column's of a task that takes prompts


def common_task(wanted: str, models: Mapping[str, Path]) -> TaskName:
    """What all the models do. Raises BadParameter if they differ, UnsupportedModel, BadModel."""
    names = {name: choose_task(wanted, read_config(folder)) for name, folder in models.items()}
    if len(set(names.values())) > 1:
        told = ", ".join(f"{name}: {task}" for name, task in names.items())
        raise BadParameter(
            f"Parameter task: the models are made for different tasks ({told}); name one that all "
            "of them can do, or evaluate them in jobs of their own."
        )
    return next(iter(names.values()))


def choose_records(task: Task[EvaluateParameters], judge: type[Judge]) -> list[Record]:
    """The prompts, or random samples of the data set in the order they stand there; read as a
    stream, so that a large one takes no memory."""
    wanted = task.parameters
    if wanted.prompts:
        return _prompts(wanted.prompts, judge)
    records = read_records(
        task.file_input(TEXT), judge.task.columns, judge.task.optional, wanted.columns
    )
    return choose(records, wanted.samples, wanted.seed)


def _prompts(prompts: Sequence[str], judge: type[Judge]) -> list[Record]:
    """Raises EmptyDataset, or BadParameter if the task needs more than a text."""
    if judge.task.columns != (TEXT,):
        columns = ", ".join(judge.task.columns)
        raise BadParameter(
            f"Parameter prompts: {judge.task.name} needs samples with {columns}; give them as the "
            f"input {TEXT}."
        )
    records = [Record(f"prompt:{n}", {TEXT: text}) for n, text in enumerate(prompts, start=1)]
    found = [record for record in records if record.fields[TEXT].strip()]
    if not found:
        raise EmptyDataset("Every prompt in parameters.prompts is blank.")
    return found
