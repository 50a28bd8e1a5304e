"""Makes the folder a program: `python algorithms/pretrain`, or `torchrun … algorithms/pretrain`."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path: Python put this folder on the path, not the one above
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from algorithms.pretrain.parameters import PretrainParameters
from algorithms.shared.command import main
from algorithms.shared.ending import end_with

end_with(lambda: main(Path(__file__).parent, PretrainParameters, "algorithms.pretrain.program"))
