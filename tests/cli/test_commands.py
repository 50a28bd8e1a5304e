"""The commands as they are typed: what they are called, and what they print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from posthuman.cli.app import app
from tests.cli.conftest import Laptop, a_job


@pytest.mark.parametrize("arguments", [["--help"], ["algorithm", "new", "--help"]])
def test_the_program_is_called_posthuman(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "posthuman.cli", *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Usage: posthuman " in shown
    assert "python -m" not in shown


def validated(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["validate", str(path)])
    return result.exit_code, result.stdout + " ".join(result.stderr.split())


def test_a_valid_manifest_is_said_to_be_ok(laptop: Laptop) -> None:
    path = laptop.write("job.yaml", a_job(), {**a_job(), "metadata": {"name": "b"}})
    assert validated(path) == (0, "ok: ComputeJob default/tries\nok: ComputeJob default/b\n")


def test_a_misspelt_parameter_is_told_before_anything_runs(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTHUMAN_ALGORITHMS")
    body = a_job(algorithm={"builtin": {"name": "pretrain"}}, parameters={"learningrate": 1e-3})
    body["spec"]["inputs"] = [{"name": "text", "kind": "dataset", "uri": "https://example.com/x"}]
    code, said = validated(laptop.write("job.yaml", body))
    assert code == 2
    assert 'has no parameter "learningrate"; did you mean "learningRate"?' in said


def test_a_wrong_manifest_is_told_without_the_servers_own_words(laptop: Laptop) -> None:
    code, said = validated(laptop.write("job.yaml", a_job(nodes="many")))
    assert code == 2
    assert "spec.nodes in body must be of type integer" in said
    assert "nil" not in said


def test_a_text_says_the_end_once(laptop: Laptop) -> None:
    path = laptop.write("job.yaml", a_job("wrong"))
    result = CliRunner().invoke(app, ["run", str(path), "--workdir", str(laptop.workdir)])
    assert result.exit_code == 1
    assert result.output.count("tries: Failed: ") == 1
    assert "Failed: there is no text" in result.stdout


def test_a_folder_is_no_uri(laptop: Laptop) -> None:
    (laptop.folder / "texts").mkdir()
    text = {"name": "text", "uri": "file:texts"}
    result = laptop.run(a_job("copy", inputs=[text]))
    assert result.code == 1
    assert "is a folder, and a URI names one file" in result.said
    assert "posthuman upload" in result.said


def test_another_folder_of_algorithms(laptop: Laptop, algorithms: Path) -> None:
    path = laptop.folder / "job.yaml"
    path.write_text(yaml.safe_dump(a_job("model")))
    options = ["--workdir", str(laptop.workdir), "--algorithms"]
    result = CliRunner().invoke(app, ["run", str(path), *options, str(algorithms)])
    assert result.exit_code == 0, result.stderr
    result = CliRunner().invoke(app, ["run", str(path), *options, str(laptop.folder)])
    assert result.exit_code == 2
    assert "holds no algorithms" in result.stderr
