"""How jobs end on a laptop: with a reason and a log that is kept; failures publish nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import OWNER, Laptop, a_job

SUCCEEDED, FAILED = 0, 1
PUBLISH = {"name": "A tiny model", "description": "Two floats, to see them published."}


def reason_of(job: dict[str, object]) -> str:
    status = job["status"]
    assert isinstance(status, dict)
    [found] = [c for c in status["conditions"] if c["type"] == "Succeeded"]
    return str(found["reason"])


def test_a_job_on_a_persons_own_file(laptop: Laptop) -> None:
    (laptop.folder / "text.txt").write_text("hello")
    job = a_job("copy", inputs=[{"name": "text", "uri": "file:text.txt"}], parameters={"n": 3})
    result = laptop.run(job)
    assert result.code == SUCCEEDED
    final = result.final
    assert final["status"]["phase"] == "Succeeded"
    assert laptop.store_file(final, "text.txt") == "hello"
    assert final["status"]["progress"]["percent"] == 50
    assert 'This machine plays environment "a100". Nothing is sealed' in result.said


def test_what_an_algorithm_sees(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the person's own")
    (laptop.folder / "text.txt").write_text("hello")
    job = a_job("copy", inputs=[{"name": "text", "uri": "file:text.txt"}])
    seen = json.loads(laptop.store_file(laptop.run(job).final, "seen.json"))
    assert "the person's own" not in seen.values()
    assert Path(seen["HOME"]).is_relative_to(laptop.workdir)
    assert json.loads(seen["POSTHUMAN_INPUTS"])["text"].startswith(str(laptop.workdir))


def test_a_finished_job_leaves_no_workspace(laptop: Laptop) -> None:
    (laptop.folder / "text.txt").write_text("hello")
    laptop.run(a_job("copy", inputs=[{"name": "text", "uri": "file:text.txt"}]))
    assert not (laptop.workdir / "jobs" / "default" / "tries" / "workspace").exists()
    assert list(laptop.workdir.glob("jobs/default/tries/steps/*run-1-0.log"))


@pytest.mark.parametrize(
    ("algorithm", "reason", "sentence"),
    [
        ("exits", "Error", "exit"),
        ("wrong", "EmptyDataset", "there is no text"),
        ("killed", "OOMKilled", "memory"),
        ("silent", "NoOutput", "wrote no file below its outputs folder"),
    ],
)
def test_failures_say_their_reason_and_keep_their_log(
    laptop: Laptop, algorithm: str, reason: str, sentence: str
) -> None:
    result = laptop.run(a_job(algorithm))
    assert result.code == FAILED
    assert result.final["status"]["phase"] == "Failed"
    assert reason_of(result.final) == reason
    assert sentence in result.said
    assert laptop.store_file(result.final, "logs/algorithm.log")


def test_a_job_past_its_timeout(laptop: Laptop) -> None:
    result = laptop.run(a_job("stays", timeout="2s"))
    assert result.code == FAILED
    assert reason_of(result.final) == "DeadlineExceeded"
    assert "ran longer than its timeout of 2s; ask for more in spec.timeout" in result.said
    assert laptop.store_file(result.final, "logs/algorithm.log")


def test_a_retry_finds_its_scratch_and_empty_outputs(laptop: Laptop) -> None:
    result = laptop.run(a_job("flaky", retries=1))
    assert result.code == SUCCEEDED
    assert [found["number"] for found in result.final["status"]["attempts"]] == [1, 2]
    assert laptop.store_file(result.final, "done.txt") == "2 []"
    assert not list(laptop.workdir.rglob("store/**/half.txt"))
    assert not list(laptop.workdir.rglob("store/**/tried"))


def test_a_persons_mistake_is_not_tried_again(laptop: Laptop) -> None:
    result = laptop.run(a_job("wrong", retries=3))
    assert len(result.final["status"]["attempts"]) == 1


def test_several_jobs_of_one_file(laptop: Laptop) -> None:
    good, bad = a_job("model"), a_job("exits")
    bad["metadata"] = {"name": "fails"}
    result = laptop.run(good, bad)
    assert result.code == FAILED
    phases = {job["metadata"]["name"]: job["status"]["phase"] for job in result.final["items"]}
    assert phases == {"tries": "Succeeded", "fails": "Failed"}


@pytest.mark.chain
def test_a_published_model_is_there_for_the_next_run(laptop: Laptop) -> None:
    first = laptop.run(a_job("model", publish={**PUBLISH, "reward": "200"}))
    assert first.code == SUCCEEDED
    did = first.final["status"]["asset"]["did"]
    assert did.startswith("did:op:")
    reference = {"namespace": "default", "name": "tries"}
    again = a_job(
        "model", publish=PUBLISH, inputs=[{"name": "model", "kind": "model", "assetRef": reference}]
    )
    again["metadata"] = {"name": "further"}
    second = laptop.run(again)
    assert second.code == SUCCEEDED
    kept = laptop.workdir / "assets" / "default.further.json"
    assert json.loads(kept.read_text())["spec"]["parents"] == [did]


@pytest.mark.chain
def test_nothing_is_published_for_a_failed_job(laptop: Laptop) -> None:
    result = laptop.run(a_job("exits", publish=PUBLISH))
    assert result.code == FAILED
    assert "asset" not in result.final["status"]
    assert not list((laptop.workdir / "assets").glob("*.json"))


@pytest.mark.chain
def test_a_person_publishes_a_model_that_is_not_theirs(laptop: Laptop) -> None:
    asset = {
        "apiVersion": "compute.posthuman.network/v1alpha1",
        "kind": "ModelAsset",
        "metadata": {"name": "stolen"},
        "spec": {
            "environmentRef": {"name": "a100"},
            "owner": OWNER,
            "source": {"prefix": "jobs/123", "manifestDigest": "sha256:" + 64 * "0"},
            "metadata": {"name": "A model", "description": "Somebody else's work."},
        },
    }
    result = laptop.run(asset)
    assert result.code == 2
    assert f"is not below uploads/{OWNER.lower()}/" in result.said
