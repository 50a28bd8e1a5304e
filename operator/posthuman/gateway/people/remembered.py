"""What was found out a moment ago, so that a thousand polls are not a thousand questions."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

MAX_ANSWERS = 50_000

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Remembered(Generic[Question, Answer]):
    """Answers for `seconds`, the oldest forgotten first. A question that fails is asked again."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._answers: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()

    async def of(self, question: Question, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The remembered answer, or what `ask` says now."""
        now = self._monotonic()
        found = self._answers.get(question)
        if found is not None and now < found[0]:
            return found[1]
        answer = await ask()
        self._answers.pop(question, None)
        self._answers[question] = (now + self._seconds, answer)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        return answer
