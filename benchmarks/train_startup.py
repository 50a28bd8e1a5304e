"""From the start of the process to the first step of `train`, in pieces.

`python -m benchmarks.train_startup [MODEL_FOLDER]`: each piece timed in a fresh process, three
times; the medians are printed, in seconds of CPU time (what else runs on the machine doesn't
count). Without a folder: a Llama of 0.1 million weights.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROUNDS = 3
WORDS = ("the", "and", "of", "that", "to", "in", "he", "shall", "unto", "for", "they", "not", "all")
NAMES = (
    "interpreter",
    "torch",
    "transformers",
    "train",
    "load",
    "tokenise",
    "engine",
    "first step",
)


def main(model: Path | None) -> None:
    """Print seconds a piece."""
    with tempfile.TemporaryDirectory() as folder:
        text = write_text(Path(folder) / "text.jsonl", 2000)
        chosen = model or tiny_model(Path(folder) / "model")
        rounds = [in_fresh_process(chosen, text, Path(folder) / str(n)) for n in range(ROUNDS)]
    medians = {name: statistics.median(found[name] for found in rounds) for name in NAMES}
    for name, seconds in medians.items():
        print(f"{name:12} {seconds:6.2f} s")
    print(f"{'all':12} {sum(medians.values()):6.2f} s")


def write_text(file: Path, samples: int) -> Path:
    """Reproducible words, 60 a sample."""
    words = random.Random(0)
    texts = (" ".join(words.choices(WORDS, k=60)) for _ in range(samples))
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def tiny_model(folder: Path) -> Path:
    from examples.story_data.tiny import write_tiny_model

    return write_tiny_model(folder)


def in_fresh_process(model: Path, text: Path, scratch: Path) -> dict[str, float]:
    scratch.mkdir()
    arguments = [str(model), str(text), str(scratch)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.train_startup", "--piecewise", *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def piecewise(model: Path, text: Path, scratch: Path) -> None:
    """The pieces of a run in their order; what is said before the last line doesn't matter."""
    clock = Clock()
    clock.lap("interpreter")
    import torch

    clock.lap("torch")
    import transformers
    from transformers import AutoModelForCausalLM  # noqa: F401 - its import is what is timed

    clock.lap("transformers")
    from algorithms.shared.data.base import DataSpec
    from algorithms.shared.data.prepare import prepare
    from algorithms.shared.models.base import LoadRequest
    from algorithms.shared.ranks import Ranks
    from algorithms.shared.training import program  # noqa: F401 - its import is what is timed
    from algorithms.shared.training.loop import Hooks, Loop
    from algorithms.shared.training.plain import PlainFactory
    from algorithms.shared.training.records import TrainingState
    from algorithms.train.parameters import TrainParameters
    from algorithms.train.source import FolderModel

    clock.lap("train")
    quiet: Any = transformers.utils.logging.disable_progress_bar
    quiet()
    ranks = Ranks(0, 1, torch.device("cpu"))
    parameters = TrainParameters(steps=1, batch_size=2)
    factory = PlainFactory(parameters, ranks)
    loaded = FolderModel(model).load(factory.request(LoadRequest(model)))
    clock.lap("load")
    data = prepare(text, loaded.task, DataSpec(length=64), scratch, ranks)
    clock.lap("tokenise")
    engine = factory.engine(loaded)
    clock.lap("engine")
    loop = Loop(engine, loaded.task, data.training, parameters, 1, ranks)
    loop.run(TrainingState(), Hooks(lambda *_: None, lambda _: None, lambda _: False))
    clock.lap("first step")
    print(json.dumps(clock.laps))


class Clock:
    """Seconds of CPU since the last lap, or since the process began."""

    def __init__(self) -> None:
        self._last = 0.0
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name], self._last = now - self._last, now


if __name__ == "__main__":
    if sys.argv[1:2] == ["--piecewise"]:
        piecewise(*map(Path, sys.argv[2:]))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
