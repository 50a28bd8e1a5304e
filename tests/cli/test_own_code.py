"""Code of one's own, tried on a laptop before anything is paid for."""

from __future__ import annotations

from typing import Any

from posthuman.api.meta import LABEL_FOR_JOBS
from tests.cli.conftest import Laptop, a_job

SCRIPT = """\
import json, os
with open(os.path.join(os.environ["INPUTS"], "algoCustomData.json")) as file:
    steps = json.load(file)["steps"]
with open(os.path.join(os.environ["OUTPUTS"], "squares"), "w") as file:
    file.write(" ".join(str(n * n) for n in range(steps)))
"""
RAW = {
    "raw": {"secretRef": {"name": "mine", "key": "run.py"}},
    "container": {"image": "docker.io/library/python:3.12", "entrypoint": "python3 $ALGO"},
}


def a_secret(**content: str) -> dict[str, Any]:
    metadata = {"name": "mine", "labels": {LABEL_FOR_JOBS: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


def own_code(**spec: Any) -> dict[str, Any]:
    return a_job(algorithm=RAW, inputs=[], parameters={"steps": 4}, **spec)


def test_raw_code_runs_without_its_image(laptop: Laptop) -> None:
    result = laptop.run(a_secret(**{"run.py": SCRIPT}), own_code())
    assert result.code == 0, result.said
    results = result.final["status"]["results"]
    folder = laptop.workdir / "store" / results["prefix"]
    assert (folder / "squares").read_text() == "0 1 4 9"
    assert '"digest":"sha256:' in (folder / "manifest.json").read_text()
    left = [path for path in laptop.workdir.rglob("algorithm-code") if path.is_file()]
    assert left == [], "the copy of the Secret goes when staging ends"


def test_raw_code_that_fails_is_its_job_s_failure(laptop: Laptop) -> None:
    result = laptop.run(a_secret(**{"run.py": "raise SystemExit(5)"}), own_code())
    assert result.code == 1
    (attempt,) = result.final["status"]["attempts"]
    assert attempt["exitCode"] == 5
