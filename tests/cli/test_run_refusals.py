"""Bad input, as far as a laptop can have it: a sentence that says what to do, and its code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posthuman.local.lock import locked
from tests.cli.conftest import Laptop, a_job, an_environment

REFUSED, FAILED = 2, 1
TEXT = {"name": "text", "uri": "file:text.txt"}


def test_a_file_that_is_not_there(laptop: Laptop) -> None:
    result = laptop.run_file(laptop.folder / "absent.yaml")
    assert result.code == REFUSED
    assert "absent.yaml can't be read" in result.said
    assert "Traceback" not in result.said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; write a ComputeJob into it"),
        ("a: [", "is no YAML"),
        ("- 1", "is no manifest"),
        ("kind: ComputeJob", "has no metadata.name"),
        ("{kind: Pod, apiVersion: v1, metadata: {name: x}}", 'Unsupported value: "Pod"'),
    ],
)
def test_files_that_are_no_manifest(laptop: Laptop, text: str, sentence: str) -> None:
    path = laptop.folder / "job.yaml"
    path.write_text(text)
    result = laptop.run_file(path)
    assert result.code == REFUSED
    assert sentence in result.said
    assert "job.yaml" in result.said


def two_algorithms() -> dict[str, Any]:
    image = {"reference": "ghcr.io/bob/train"}
    return a_job(algorithm={"builtin": {"name": "copy"}, "image": image})


def moved_after_creation() -> list[dict[str, Any]]:
    return [a_job(), a_job(timeout="5m")]


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        ([two_algorithms()], "set exactly one of builtin, image, did and raw"),
        ([a_job(stpes=1)], 'unknown field "spec.stpes"'),
        (moved_after_creation(), "a job can't be changed once it is made"),
        ([a_job(algorithm={"image": {"reference": "x", "entrypoint": ["y"]}})], "container images"),
        ([a_job("trian")], 'there is no built-in algorithm "trian"'),
        ([a_job("copy")], 'needs an input named "text"'),
        ([a_job(timeout="25h")], "spec.timeout 25h is above the environment's limit of 24h"),
        ([a_job(nodes=100)], "spec.nodes 100 is more than the environment's"),
        (
            [a_job(inputs=[{**TEXT, "uri": "https://127.0.0.1/x"}])],
            "127.0.0.1 is a private, loopback or link-local address",
        ),
        (
            [a_job(inputs=[{**TEXT, "uri": "https://169.254.169.254/latest"}])],
            "169.254.169.254 is a private, loopback or link-local address",
        ),
        ([a_job(inputs=[{**TEXT, "uri": "s3://bucket/key"}])], "s3: is refused"),
        (
            [a_job(inputs=[{"name": "text", "assetRef": {"namespace": "a", "name": "b"}}])],
            "there is no ModelAsset a/b",
        ),
        (
            [a_job(inputs=[{"name": "text", "upload": "uploads/0x" + 40 * "0" + "/x"}])],
            "`posthuman upload` prints the right path",
        ),
    ],
)
def test_manifests_that_are_refused(
    laptop: Laptop, documents: list[dict[str, Any]], sentence: str
) -> None:
    result = laptop.run(*documents)
    assert sentence in result.said
    assert result.code == REFUSED
    assert not list(laptop.workdir.glob("store/jobs/*"))


def test_every_wrong_document_gets_its_sentence(laptop: Laptop) -> None:
    other = a_job(timeout="for ever")
    other["metadata"] = {"name": "other"}
    result = laptop.run(two_algorithms(), other)
    assert "set exactly one of builtin, image, did and raw" in result.said
    assert "spec.timeout" in result.said
    assert result.code == REFUSED


def test_an_unknown_environment(laptop: Laptop) -> None:
    store = (laptop.folder / "lab").as_uri()
    environment = laptop.write("environment.yaml", an_environment("lab", store))
    result = laptop.run(a_job(), environment=environment)
    assert 'there is no ComputeEnvironment "a100"; this cluster has: lab' in result.said
    assert result.code == REFUSED


def test_an_environments_file_without_one(laptop: Laptop) -> None:
    result = laptop.run(a_job(), environment=laptop.write("environment.yaml", a_job()))
    assert "environment.yaml holds no ComputeEnvironment: add one, or leave out" in result.said
    assert result.code == REFUSED


def test_nodes_without_a_shared_workspace(laptop: Laptop) -> None:
    store = (laptop.folder / "lab").as_uri()
    hardware = {"maxNodes": 2}
    environment = laptop.write("environment.yaml", an_environment(url=store, hardware=hardware))
    result = laptop.run(a_job(nodes=2), environment=environment)
    assert "more than one node without ReadWriteMany" in result.said
    assert result.code == REFUSED


def test_an_environment_whose_store_is_not_there(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthuman.cli.run.READY_SECONDS", 0.5)
    blocked = laptop.folder / "a-file"
    blocked.write_text("not a folder")
    environment = laptop.write("environment.yaml", an_environment(url=blocked.as_uri()))
    result = laptop.run(a_job(), environment=environment)
    assert 'environment "a100" is not ready' in result.said
    assert result.code == FAILED


def test_a_wrong_digest_fails_before_anything_runs(laptop: Laptop) -> None:
    (laptop.folder / "text.txt").write_text("hello")
    result = laptop.run(a_job("copy", inputs=[{**TEXT, "sha256": 64 * "0"}]))
    assert result.code == FAILED
    status = result.final["status"]
    assert status["phase"] == "Failed"
    assert status.get("attempts", []) == []
    assert "text" in result.said
    assert 64 * "0" in result.said


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("file:absent.txt", "there is no file"),
        ("file:../secret.txt", "it lies outside"),
        ("file:///etc/passwd", "it lies outside"),
        ("file:link.txt", "it lies outside"),
    ],
)
def test_files_outside_the_manifests_folder(laptop: Laptop, uri: str, sentence: str) -> None:
    secret = laptop.folder.parent / "secret.txt"
    secret.write_text("mine")
    (laptop.folder / "link.txt").symlink_to(secret)
    result = laptop.run(a_job("copy", inputs=[{"name": "text", "uri": uri}]))
    assert result.code == FAILED
    assert sentence in result.said
    assert not list(Path(laptop.workdir).rglob("text.txt"))


def test_a_folder_in_use(laptop: Laptop) -> None:
    with locked(laptop.workdir):
        result = laptop.run(a_job())
    assert result.code == REFUSED
    assert "another run uses" in result.said
