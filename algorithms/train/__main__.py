"""Makes the folder a program: `python algorithms/train`, or `torchrun … algorithms/train`."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path: Python put this folder on the path, not the one above
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from algorithms.shared.command import main
from algorithms.shared.ending import end_with
from algorithms.train.parameters import TrainParameters

end_with(lambda: main(Path(__file__).parent, TrainParameters, "algorithms.train.program"))
