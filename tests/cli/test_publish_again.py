"""`posthuman publish --job`: a person asks, by an annotation that names the end it takes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from posthuman.api.meta import ANNOTATION_PUBLISH_AGAIN
from posthuman.cli.app import app
from tests.services.api_server import ApiServer, Body, api_server

PATH = "/apis/compute.posthuman.network/v1alpha1/namespaces/bob/computejobs/bob-trains"
ENDED = "2026-01-01T12:00:00Z"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        yield server


def job(phase: str = "Failed", publish: bool = True, **status: Any) -> Body:
    """One whose publication was given up."""
    results = {"uri": "s3://a/b", "prefix": "b", "manifestDigest": "sha256:1"}
    spec: Body = {
        "environmentRef": {"name": "a100"},
        "owner": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "algorithm": {"builtin": {"name": "train"}},
    }
    if publish:
        spec["publish"] = {"name": "Bob's", "description": "500 more steps"}
    ended = {"phase": phase, "outcome": "Succeeded", "finishedAt": ENDED, "results": results}
    return {
        "apiVersion": "compute.posthuman.network/v1alpha1",
        "kind": "ComputeJob",
        "metadata": {"name": "bob-trains", "namespace": "bob", "annotations": {"a": "b"}},
        "spec": spec,
        "status": ended | status,
    }


def ask(*options: str) -> Result:
    return CliRunner().invoke(
        app, ["publish", "--job", "bob-trains", "--namespace", "bob", *options]
    )


def test_the_annotation_names_the_end_that_it_takes_back(api: ApiServer) -> None:
    api.hold(job())
    result = ask()
    assert result.exit_code == 0, result.output
    assert "kubectl get computejob bob-trains -n bob -w" in result.stdout
    annotations = api.objects[PATH]["metadata"]["annotations"]
    assert annotations == {"a": "b", ANNOTATION_PUBLISH_AGAIN: ENDED}
    assert api.asked == [("GET", PATH), ("PATCH", PATH)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (job(publish=False), "has no spec.publish"),
        (job("Publishing"), "isn't over yet (Publishing): it goes on by itself"),
        (job(outcome="Failed"), "has no model that could be published"),
        (job(results=None), "has no model that could be published"),
    ],
)
def test_what_the_operator_would_not_do_is_not_asked(
    api: ApiServer, body: Body, sentence: str
) -> None:
    api.hold(body)
    result = ask()
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert [verb for verb, _ in api.asked] == ["GET"]


def test_who_may_not_change_jobs_is_told_so(api: ApiServer) -> None:
    api.hold(job())
    api.refused = {"PATCH"}
    result = ask()
    assert result.exit_code == 2
    assert "you may not change ComputeJobs in namespace bob" in " ".join(result.stderr.split())


def test_a_job_that_is_not_there(api: ApiServer) -> None:
    result = ask()
    assert result.exit_code == 2
    assert 'there is no ComputeJob "bob-trains" in namespace bob' in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments", [[], ["folder"], ["--name", "x"], ["folder", "--name", "x", "--job", "y"]]
)
def test_either_a_folder_or_a_job(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["publish", *arguments])
    assert result.exit_code == 2
    assert "name a model's folder and a --name, or a --job" in " ".join(result.stderr.split())
