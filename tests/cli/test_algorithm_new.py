"""`posthuman algorithm new`: what it makes passes its own checks, and runs by hand and as a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from posthuman.cli.app import app
from posthuman.environments.catalogue import read_catalogue

LONGEST = "a" * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new algorithm, in a folder far from this repository."""
    parent = tmp_path_factory.mktemp("mine")
    assert made("word-count", parent).exit_code == 0
    return parent / "word-count"


def made(name: str, parent: Path) -> Result:
    return CliRunner().invoke(app, ["algorithm", "new", name, "--folder", str(parent)])


def in_folder(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """With nothing of this repository on Python's path."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)


def test_it_passes_its_own_checks(folder: Path) -> None:
    done = in_folder(folder, "make", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success: no issues found" in done.stdout
    assert " passed" in done.stdout


def test_a_long_name_moves_no_line_break(tmp_path: Path) -> None:
    assert made(LONGEST, tmp_path).exit_code == 0
    for check in (("format", "--check"), ("check",)):
        done = in_folder(tmp_path / LONGEST, "ruff", *check, ".")
        assert done.returncode == 0, done.stdout


def test_it_runs_alone_with_nothing_installed(folder: Path, tmp_path: Path) -> None:
    """-I and -S: not even this environment's packages."""
    data = folder / "example" / "text.jsonl"
    command = (sys.executable, "-I", "-S", str(folder), "--data", str(data))
    done = in_folder(tmp_path, *command, "--outputs", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "words.json").read_text())["the"] == 4


def test_it_runs_as_a_job_on_this_machine(folder: Path, tmp_path: Path) -> None:
    options = ["--algorithms", str(folder.parent), "--workdir", str(tmp_path), "-o", "json"]
    result = CliRunner().invoke(app, ["run", str(folder / "job.yaml"), *options])
    assert result.exit_code == 0, result.stderr
    status = json.loads(result.stdout)["status"]
    assert status["progress"]["metrics"] == {"words": 14}
    results = tmp_path / "store" / status["results"]["prefix"]
    assert len(json.loads((results / "words.json").read_text())) == 5
    manifest = json.loads((results / "manifest.json").read_text())
    assert manifest["metrics"] == {"words": 14, "differentWords": 11}
    assert manifest["algorithm"]["name"] == "word-count"


def test_a_wrong_parameter_is_refused_before_anything_runs(folder: Path, tmp_path: Path) -> None:
    body = yaml.safe_load((folder / "job.yaml").read_text())
    body["spec"]["parameters"] = {"mostFrequnt": 5}
    job = folder / "wrong.yaml"
    job.write_text(yaml.safe_dump(body))
    options = ["--algorithms", str(folder.parent), "--workdir", str(tmp_path)]
    result = CliRunner().invoke(app, ["run", str(job), *options])
    assert result.exit_code != 0
    assert 'did you mean "mostFrequent"?' in " ".join(result.output.split())
    assert not list(tmp_path.rglob("steps"))


def test_every_file_of_the_image_is_there(folder: Path) -> None:
    """No Docker is needed to see that what is copied exists, and that its program starts."""
    dockerfile = (folder / "Dockerfile").read_text()
    [copied] = [line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY")]
    assert all(list(folder.glob(pattern)) for pattern in copied)
    admitted = (folder / ".dockerignore").read_text().splitlines()[1:]
    assert sorted(pattern.removeprefix("!") for pattern in admitted) == sorted(copied)
    facts = json.loads((folder / "algorithm.json").read_text())
    assert f"ENTRYPOINT {json.dumps(facts['entrypoint'])}" in dockerfile


def test_the_catalogue_reads_it(folder: Path) -> None:
    found = read_catalogue(folder.parent)["word-count"]
    assert (found.version, found.inputs) == ("0.1.0", ("text",))


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    said = made("mine", tmp_path).stdout
    assert f"posthuman run {tmp_path}/mine/job.yaml --algorithms {tmp_path}" in said
    assert f"python {tmp_path}/mine --data" in said


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Train", "can't be an algorithm's name"),
        ("a_b", "can't be an algorithm's name"),
        ("../up", "can't be an algorithm's name"),
        ("-a", "No such option"),
        ("a-", "can't be an algorithm's name"),
        ("a" * 31, "at most 30 lower case letters"),
        ("train", 'there is a built-in algorithm "train" already'),
        ("question-answer", 'there is a built-in algorithm "question-answer" already'),
    ],
)
def test_names_that_are_refused(name: str, sentence: str, tmp_path: Path) -> None:
    result = made(name, tmp_path)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    result = made("mine", tmp_path)
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert list((tmp_path / "mine").iterdir()) == []
