"""The command line alone, and inside a job, where everything comes from the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from algorithms.generate.parameters import GenerateParameters
from algorithms.shared.command import main
from algorithms.shared.failures import MissingInput
from algorithms.shared.inputs import Task
from algorithms.train.parameters import TrainParameters
from tests.algorithms.conftest import ALGORITHMS, command_line, report_of, run_process


@pytest.mark.parametrize("name", ["train", "evaluate", "generate", "question_answer"])
def test_help_names_the_parameters_from_any_folder(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(ALGORITHMS / name), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--parameters" in done.stdout
    assert "dtype" in done.stdout
    assert f"algorithms/{name}/README.md" in done.stdout


@pytest.mark.models
def test_a_job_takes_everything_from_its_environment(
    tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    inputs = {"model": str(tiny_model), "text": str(corpus.parent)}
    (tmp_path / "algoCustomData.json").write_text('{"steps": 2, "blockLength": 16}')
    ended = run_process(
        "train",
        [],
        POSTHUMAN_INPUTS=json.dumps(inputs),
        INPUTS=str(tmp_path),
        OUTPUTS=str(tmp_path / "outputs"),
    )
    assert ended.code == 0
    assert report_of(tmp_path / "outputs")["parameters"]["steps"] == 2


@pytest.mark.models
def test_a_training_ends_with_its_figures_and_no_librarys_noise(
    tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    """DeepSpeed would warn, where it is installed, that this machine has no GPU."""
    outputs = tmp_path / "out"
    options = {"model": tiny_model, "data": corpus, "outputs": outputs}
    done = subprocess.run(
        [
            sys.executable,
            str(ALGORITHMS / "train"),
            *command_line({"steps": 1, "blockLength": 16}, options),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    *_, figures, place = done.stdout.splitlines()
    assert f"heldOutLossAfter {report_of(outputs)['metrics']['heldOutLossAfter']:.4g}" in figures
    assert place.endswith(f" are in {outputs}.")
    assert done.stderr == ""


def test_ctrl_c_gives_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_task: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "interrupted", SimpleNamespace(run=interrupted))
    arguments = ["--outputs", str(tmp_path / "out"), "--parameters", "{}"]
    assert main(ALGORITHMS / "train", TrainParameters, "interrupted", arguments) == 130
    assert capsys.readouterr().err == "Stopped by Ctrl-C.\n"


def test_a_wrong_parameter_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    arguments = ["--outputs", str(tmp_path), "--parameters", '{"step": 1}']
    probe = f"""
import runpy, sys
sys.argv = ["train", *{arguments!r}]
try:
    runpy.run_path({str(ALGORITHMS / "train")!r}, run_name="__main__")
except SystemExit as end:
    print("code", end.code, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert "Did you mean steps?" in done.stdout
    assert "code 10 False" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason", "words"),
    [
        (["--parameters", "{"], "BadParameter", "not JSON"),
        (["--parameters", "@nowhere.json"], "MissingInput", "nowhere.json does not exist"),
        (["--model", "/nowhere", "--data", "/nowhere"], "MissingInput", "/nowhere"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(
    arguments: list[str],
    reason: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [*arguments, "--outputs", str(tmp_path)]
    assert main(ALGORITHMS / "train", TrainParameters, "algorithms.train.program", given) >= 10
    printed = json.loads(capsys.readouterr().out)
    assert printed["reason"] == reason
    assert words in printed["message"]


def test_an_input_that_a_parameter_can_stand_for_is_said_so(tmp_path: Path) -> None:
    task = Task(
        algorithm={}, inputs={}, outputs=tmp_path, scratch=tmp_path, parameters=GenerateParameters()
    )
    with pytest.raises(MissingInput, match="Give it, or the parameter prompts"):
        task.file_input("prompts")
    with pytest.raises(MissingInput, match=r"\(inputs given: none\)\.$"):
        task.file_input("model")


def test_without_an_outputs_folder_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OUTPUTS", raising=False)
    assert main(ALGORITHMS / "train", TrainParameters, "algorithms.train.program", []) == 11
    assert "give --outputs DIR or set OUTPUTS" in capsys.readouterr().out
