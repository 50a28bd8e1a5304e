"""The usual metrics, one module a task (two share one), all behind `Judge`."""

from __future__ import annotations

from algorithms.evaluate.judges.answers import AnswerJudge
from algorithms.evaluate.judges.base import Judge
from algorithms.evaluate.judges.classes import ClassJudge
from algorithms.evaluate.judges.language import CausalJudge, MaskedJudge
from algorithms.evaluate.judges.targets import TargetTextJudge
from algorithms.evaluate.judges.words import WordJudge
from algorithms.shared.tasks.names import TaskName

JUDGES: dict[TaskName, type[Judge]] = {
    "causal-lm": CausalJudge,
    "masked-lm": MaskedJudge,
    "seq2seq-lm": TargetTextJudge,
    "sequence-classification": ClassJudge,
    "token-classification": WordJudge,
    "question-answering": AnswerJudge,
}
