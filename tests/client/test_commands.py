"""The commands as they are typed, against a real server."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from posthuman.api.job import Phase
from posthuman.api.meta import API_VERSION
from posthuman.cli.app import app
from posthuman.gateway.people.examples import TRAIN
from tests.client.serving import Served
from tests.gateway.people.world import BOB, FILES, RECEIPT

MANIFEST = {
    "apiVersion": API_VERSION,
    "kind": "ComputeJob",
    "metadata": {"name": "train"},
    "spec": TRAIN["spec"],
}


class Typed:
    """`posthuman …`, as Bob with his key in a file."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.folder = folder
        key = folder / "key"
        key.write_text(BOB.key.hex())
        self._environment = {"POSTHUMAN_GATEWAY": served.url, "POSTHUMAN_KEY_FILE": str(key)}

    def __call__(self, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env=self._environment | environment)

    def manifest(self, *documents: dict[str, Any]) -> str:
        path = self.folder / "job.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        return str(path)


@pytest.fixture
def posthuman(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setattr("posthuman.cli.remote.submit.POLL_SECONDS", 0.01)
    return Typed(served, tmp_path)


def test_submit_says_the_id_that_the_others_take(served: Served, posthuman: Typed) -> None:
    made = posthuman("submit", posthuman.manifest(MANIFEST))
    assert made.exit_code == 0
    job_id = made.stdout.strip()
    assert job_id.startswith("ocean.train-")
    listed = json.loads(posthuman("jobs", "-o", "json").stdout)
    assert [job["id"] for job in listed] == [job_id]
    assert job_id in posthuman("jobs", COLUMNS="200").stdout
    assert posthuman("stop", job_id).exit_code == 0
    assert served.world.only_job().spec.stop


def test_submit_and_wait(served: Served, posthuman: Typed) -> None:
    job_id = posthuman("submit", posthuman.manifest(MANIFEST)).stdout.strip()
    ended = threading.Timer(0.2, lambda: served.succeed(served.world.only_job()))
    ended.start()
    waited = posthuman("submit", posthuman.manifest(MANIFEST), "--wait", "-o", "json")
    ended.join()
    assert waited.exit_code == 0
    [job] = json.loads(waited.stdout)
    assert (job["id"], job["phase"]) == (job_id, "Succeeded")


def test_a_failed_job_is_a_failed_command(served: Served, posthuman: Typed) -> None:
    posthuman("submit", posthuman.manifest(MANIFEST))
    served.world.access.advance(served.world.only_job(), phase=Phase.FAILED)
    assert posthuman("submit", posthuman.manifest(MANIFEST), "--wait").exit_code == 1


def test_results_and_logs(served: Served, posthuman: Typed) -> None:
    job = served.succeed(served.add_job())
    job_id = f"ocean.{job.metadata.name}"
    assert "metrics.json" in posthuman("results", job_id).stdout
    folder = posthuman.folder / "results"
    brought = posthuman("results", job_id, "--to", str(folder), "-o", "json")
    assert brought.exit_code == 0, brought.output
    assert (folder / "samples/first.txt").read_bytes() == FILES["samples/first.txt"]
    assert (folder / "receipt.json").read_bytes() == RECEIPT
    assert not (folder / "model").exists()
    assert posthuman("logs", "-f", job_id).stdout_bytes == FILES["logs/algorithm.log"]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("jobs",), {"POSTHUMAN_KEY_FILE": ""}, "say who you are"),
        (("jobs",), {"POSTHUMAN_TOKEN_FILE": "/dev/null"}, "say who you are"),
        (("jobs",), {"POSTHUMAN_GATEWAY": "gateway"}, "is no gateway's URL"),
        (("results", "ocean.nothing"), {}, "you have no job"),
        (("logs", "ocean.nothing"), {}, "you have no job"),
    ],
)
def test_refusals_are_sentences(
    posthuman: Typed, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    refused = posthuman(*arguments, **environment)
    assert refused.exit_code in (1, 2)
    assert words in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.output


def test_what_is_no_job_is_not_submitted(served: Served, posthuman: Typed) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    refused = posthuman("submit", posthuman.manifest(MANIFEST, secret))
    assert refused.exit_code == 2
    assert "is a Secret" in " ".join(refused.stderr.split())
    assert not served.world.access.all_jobs
