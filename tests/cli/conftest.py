"""A person with a folder, a manifest and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from posthuman.cli.ending import errors_as_sentences
from posthuman.cli.run import run_manifest
from tests.cli.algorithms import write_algorithms

OWNER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
API = "compute.posthuman.network/v1alpha1"


class Result(NamedTuple):
    """What a run left behind."""

    code: int
    stdout: str
    said: str

    @property
    def final(self) -> dict[str, Any]:
        """The final object, of `-o json`."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


class Laptop:
    """`run` is `posthuman run` within this process: a subprocess costs seconds of imports."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.workdir = folder / "work"
        self._capture = capture

    def write(self, name: str, *documents: dict[str, Any]) -> Path:
        """A manifest in the person's folder."""
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(documents))
        return path

    def run(self, *documents: dict[str, Any], environment: Path | None = None) -> Result:
        """With the final object on stdout."""
        return self.run_file(self.write("job.yaml", *documents), environment)

    def run_file(self, path: Path, environment: Path | None = None) -> Result:
        """The exit code as the shell would see it."""
        self._capture.readouterr()
        try:
            with errors_as_sentences():
                code = run_manifest(path, environment, self.workdir, as_json=True)
        except SystemExit as ended:
            code = int(ended.code or 0)
        stdout, said = self._capture.readouterr()
        return Result(code, stdout, " ".join(said.split()))

    def store_file(self, job: dict[str, Any], path: str) -> str:
        """What a finished job left in the embedded store."""
        prefix = str(job["status"]["results"]["prefix"])
        return (self.workdir / "store" / prefix / path).read_text()


@pytest.fixture(scope="session")
def algorithms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See tests/cli/algorithms.py."""
    return write_algorithms(tmp_path_factory.mktemp("algorithms"))


@pytest.fixture
def laptop(
    tmp_path: Path,
    algorithms: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Laptop:
    """With the small algorithms in place of the built-in ones."""
    monkeypatch.setenv("POSTHUMAN_ALGORITHMS", str(algorithms))
    return Laptop(tmp_path, capsys)


def a_job(builtin: str = "silent", **spec: Any) -> dict[str, Any]:
    """A ComputeJob document."""
    return {
        "apiVersion": API,
        "kind": "ComputeJob",
        "metadata": {"name": "tries"},
        "spec": {
            "environmentRef": {"name": "a100"},
            "owner": OWNER,
            "algorithm": {"builtin": {"name": builtin}},
            **spec,
        },
    }


def an_environment(name: str = "a100", url: str = "file:///nowhere", **spec: Any) -> dict[str, Any]:
    """A ComputeEnvironment document."""
    return {
        "apiVersion": API,
        "kind": "ComputeEnvironment",
        "metadata": {"name": name},
        "spec": {"workNamespace": "work", "store": {"url": url}, **spec},
    }
