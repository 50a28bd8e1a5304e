"""A tiny model, tiny texts, and a way to run an algorithm in this process as its command does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobkit.progress import FailureLine, ProgressLine, parse_line

ALGORITHMS = Path(__file__).parents[2] / "algorithms"
SENTENCES = (
    "And the evening and the morning were the first day.",
    "The earth brought forth grass, and herb yielding seed after his kind.",
    "And the waters called he Seas: and it was good.",
)


class Ended(NamedTuple):
    """How an algorithm ended, and what it printed."""

    code: int
    output: str

    @property
    def failure(self) -> FailureLine:
        """The one failure line."""
        [line] = {line for line in map(parse_line, self.output.splitlines()) if _fails(line)}
        assert isinstance(line, FailureLine)
        return line

    @property
    def progress(self) -> list[ProgressLine]:
        """Every progress line."""
        lines = map(parse_line, self.output.splitlines())
        return [line for line in lines if isinstance(line, ProgressLine)]


def _fails(line: object) -> bool:
    return isinstance(line, FailureLine)


Run = Callable[..., Ended]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("train", {…}, model=…, data=…, outputs=…)`, in this process: importing torch is slow."""

    def start(algorithm: str, parameters: Mapping[str, Any], **options: Any) -> Ended:
        capfd.readouterr()
        code = _main(algorithm, command_line(parameters, options))
        return Ended(code, capfd.readouterr().out)

    return start


def _main(algorithm: str, arguments: Sequence[str]) -> int:
    from algorithms.evaluate.parameters import EvaluateParameters
    from algorithms.generate.parameters import GenerateParameters
    from algorithms.pretrain.parameters import PretrainParameters
    from algorithms.question_answer.parameters import QuestionAnswerParameters
    from algorithms.shared.command import main
    from algorithms.train.parameters import TrainParameters

    kinds: dict[str, type[Any]] = {
        "train": TrainParameters,
        "evaluate": EvaluateParameters,
        "generate": GenerateParameters,
        "pretrain": PretrainParameters,
        "question-answer": QuestionAnswerParameters,
    }
    folder = folder_of(algorithm)
    return main(folder, kinds[algorithm], f"algorithms.{folder.name}.program", arguments)


def folder_of(algorithm: str) -> Path:
    """A package's name has no hyphen."""
    return ALGORITHMS / algorithm.replace("-", "_")


def command_line(parameters: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Options as they are typed; a list gives its option again for each."""
    line = ["--parameters", json.dumps(parameters)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            line += [f"--{name}", str(one)]
    return line


def run_process(
    algorithm: str, arguments: Sequence[str], ranks: int = 1, **variables: str
) -> Ended:
    """The real command, alone or under torchrun; one thread a rank, as torchrun sets it."""
    program = [sys.executable, str(folder_of(algorithm))]
    if ranks > 1:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        program = [*launcher, f"--nproc-per-node={ranks}", str(folder_of(algorithm))]
    done = subprocess.run(
        [*program, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Ended(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 0.1 million weights that reads bytes; one thread, for there is little to share."""
    import torch

    from examples.story_data.tiny import write_tiny_model

    torch.set_num_threads(1)
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 samples in one .jsonl file."""
    file = tmp_path_factory.mktemp("corpus") / "text.jsonl"
    texts = (f"{number}. {SENTENCES[number % len(SENTENCES)]}" for number in range(60))
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def report_of(outputs: Path) -> dict[str, Any]:
    """report.json."""
    report: dict[str, Any] = json.loads((outputs / "report.json").read_text())
    return report


def spoiled(model: Path, folder: Path) -> Path:
    """A copy whose weights are no numbers."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(model / "model.safetensors")
    nothing = {name: weight * float("nan") for name, weight in weights.items()}
    save_file(nothing, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
