"""The six tasks by name."""

from __future__ import annotations

from typing import get_args

from algorithms.shared.failures import BadParameter
from algorithms.shared.tasks.base import ModelTask, TaskName
from algorithms.shared.tasks.causal_lm import CausalLM
from algorithms.shared.tasks.inputs import ModelInputs
from algorithms.shared.tasks.masked_lm import MaskedLM
from algorithms.shared.tasks.question_answering import QuestionAnswering
from algorithms.shared.tasks.seq2seq_lm import Seq2SeqLM
from algorithms.shared.tasks.sequence_classification import SequenceClassification
from algorithms.shared.tasks.token_classification import TokenClassification

TASK_NAMES: tuple[TaskName, ...] = get_args(TaskName)


def make_task(name: TaskName, inputs: ModelInputs) -> ModelTask:
    """The task, on the model whose inputs these are."""
    match name:
        case "causal-lm":
            return CausalLM(inputs)
        case "masked-lm":
            return MaskedLM(inputs)
        case "seq2seq-lm":
            return Seq2SeqLM(inputs)
        case "sequence-classification":
            return SequenceClassification(inputs)
        case "token-classification":
            return TokenClassification(inputs)
        case "question-answering":
            return QuestionAnswering(inputs)


def task_name(text: str) -> TaskName:
    """Raises BadParameter for what is no task's name."""
    for name in TASK_NAMES:
        if name == text:
            return name
    raise BadParameter(f"There is no task {text}; there are auto, {', '.join(TASK_NAMES)}.")
