"""Each kind of bad input, by kubectl on the real cluster: refused or failed, with its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cluster.kubectl import kubectl
from tests.services.world import TENANT, World, condition
from tests.story import bodies, files
from tests.story.bad_jobs import NAMES, RAN, WRONG_SHA256, Bad, builtin, check, program, reading
from tests.story.bodies import STRANGER
from tests.story.recorder import Body

pytestmark = pytest.mark.cluster


@pytest.fixture
def ended(world: World, jobs: dict[str, Bad], name: str) -> Body:
    """One of them, at its end."""
    return world.recorder.finished_job(TENANT, name, timeout_seconds=200)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_job_fails_with_a_sentence_and_publishes_nothing(
    world: World, jobs: dict[str, Bad], name: str, ended: Body
) -> None:
    check(world, jobs[name], ended)


@pytest.mark.parametrize("name", RAN)
def test_the_log_of_a_failed_job_is_kept(
    world: World, jobs: dict[str, Bad], name: str, ended: Body
) -> None:
    assert world.manifest(ended).outcome == "Failed"
    kept = world.result(ended, "logs/algorithm.log").decode()
    assert (jobs[name].log or "") in kept


def test_an_unknown_environment_is_waited_for_with_a_sentence(world: World) -> None:
    elsewhere = {"environmentRef": {"name": "h100"}}
    world.apply(bodies.compute_job(TENANT, "lost", **program(""), **elsewhere))

    def why() -> Mapping[str, Any]:
        return condition(world.recorder.find("ComputeJob", TENANT, "lost"), "Succeeded")

    world.recorder.wait(lambda: bool(why()), 30, "the job's condition")
    assert why()["reason"] == "EnvironmentNotFound"
    assert 'there is no ComputeEnvironment "h100"; this cluster has: ' in why()["message"]
    assert "tests" in why()["message"]


def test_two_algorithm_sources_are_refused(world: World) -> None:
    two = {"algorithm": {**builtin("train")["algorithm"], **program("")["algorithm"]}}
    said = world.refusal(bodies.compute_job(TENANT, "two-sources", **two))
    assert "set exactly one of builtin, image, did and raw" in said
    assert "spec.algorithm" in said


def test_an_environment_of_several_nodes_without_a_shared_volume_is_refused(world: World) -> None:
    workspace = {"size": "1Gi", "accessMode": "ReadWriteOnce"}
    said = world.refusal(bodies.environment("torn", world.services.contracts, workspace=workspace))
    assert "more than one node without ReadWriteMany" in said


@pytest.mark.parametrize(
    "change",
    [{"owner": "0x" + "1" * 40}, {"timeout": "9m"}, {"parameters": {"steps": 5}}],
    ids=lambda change: next(iter(change)),
)
def test_a_spec_cannot_be_changed_once_it_is_made(
    world: World, jobs: dict[str, Bad], change: dict[str, Any]
) -> None:
    spec = {**jobs["exits-1"].spec, **change}
    said = world.refusal(bodies.compute_job(TENANT, "exits-1", **spec))
    assert "a job can't be changed once it is made" in said


def test_an_upload_of_somebody_else_is_refused(world: World) -> None:
    others = {"name": "text", "upload": "uploads/0x" + "1" * 40 + "/text"}
    world.apply(bodies.compute_job(TENANT, "thief", **program("", inputs=[others])))
    thief = world.recorder.finished_job(TENANT, "thief", timeout_seconds=30)
    why = condition(thief, "Succeeded")
    assert why["reason"] == "UploadNotOwned"
    assert f"uploads/{STRANGER.lower()}/" in why["message"]


def test_a_person_cannot_set_what_only_the_operator_may(world: World) -> None:
    asset = {
        "apiVersion": "compute.posthuman.network/v1alpha1",
        "kind": "ModelAsset",
        "metadata": {"name": "forged", "namespace": TENANT},
        "spec": {
            "environmentRef": {"name": "tests"},
            "owner": STRANGER,
            "source": {"prefix": f"uploads/{STRANGER.lower()}/m",
                       "manifestDigest": f"sha256:{WRONG_SHA256}"},
            "metadata": {"name": "Forged", "description": "with parents of its own choice"},
            "parents": [f"did:op:{WRONG_SHA256}"],
        },
    }  # fmt: skip
    assert "spec.parents is the operator's alone to set" in world.refusal(asset)


def test_a_good_input_by_uri_is_brought_in(world: World) -> None:
    """The same server, the same policy: the refusals above are not for everything."""
    copy = "import shutil; shutil.copytree('/data/inputs/text', '/data/outputs/text')"
    spec = reading(f"http://{world.files_address}/text.jsonl")
    spec.update(program(copy, inputs=spec["inputs"]))
    del spec["publish"]
    world.apply(bodies.compute_job(TENANT, "copies", **spec))
    done = world.recorder.finished_job(TENANT, "copies")
    assert done["status"]["phase"] == "Succeeded", done["status"]
    assert world.result(done, "text/text.jsonl").decode() == files.TEXT


def test_failed_jobs_show_their_reason_in_kubectl(world: World, jobs: dict[str, Bad]) -> None:
    world.recorder.finished_job(TENANT, "exits-1")
    lines = kubectl("-n", TENANT, "get", "computejobs", "-o", "wide").splitlines()
    (line,) = [line for line in lines if line.startswith("exits-1 ")]
    assert "Failed" in line and "exit code 1" in line
