"""Makes the folder a program: `python algorithms/question_answer`, or under torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path: Python put this folder on the path, not the one above
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from algorithms.question_answer.parameters import QuestionAnswerParameters
from algorithms.shared.command import main

sys.exit(
    main(Path(__file__).parent, QuestionAnswerParameters, "algorithms.question_answer.program")
)
