"""Each kind of bad input, by kubectl on the real cluster: refused or failed, with its sentence.

All jobs are applied at once and awaited one by one, so that slow ends overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.cluster.kubectl import kubectl
from tests.services.world import TENANT, World, condition
from tests.story import bodies, files
from tests.story.bodies import STRANGER
from tests.story.installation import image
from tests.story.recorder import Body
from tests.story.services import NAMESPACE

pytestmark = pytest.mark.cluster

HUNGRY = "b = []\nwhile True: b.append(bytearray(16 << 20))"
SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
PUBLISH = {"name": "Never to be seen", "description": "of a job that fails", "reward": "200"}
SMALL = {"cpu": "100m", "memory": "64Mi"}
WRONG_SHA256 = "0" * 64


class Bad(NamedTuple):
    """A job that can't end well. `log`: what the kept log must say; None: the job never ran."""

    spec: Mapping[str, Any]
    reason: str
    sentence: str
    log: str | None = None


def program(text: str, **spec: Any) -> dict[str, Any]:
    """A job that runs a Python program, in a container of its own."""
    algorithm = bodies.container(image("jobkit"), "python", "-c", text)
    return {"algorithm": algorithm, "resources": SMALL, "publish": PUBLISH, **spec}


def builtin(name: str, **spec: Any) -> dict[str, Any]:
    """A job that runs an algorithm of the catalogue."""
    return {"algorithm": {"builtin": {"name": name}}, **spec}


def reading(uri: str, **more: str) -> dict[str, Any]:
    """A job with an input by URI."""
    return program("", inputs=[{"name": "text", "uri": uri, **more}])


def bad_jobs(server: str) -> dict[str, Bad]:
    """By name; `server` is the allowed web server's host:port."""
    text, s3 = f"http://{server}/text.jsonl", f"http://s3.{NAMESPACE}.svc:7070"
    return {
        "sha256-differs": Bad(
            reading(text, sha256=WRONG_SHA256), "ChecksumMismatch", f"expected {WRONG_SHA256}"
        ),
        "missing-file": Bad(reading(f"http://{server}/none.jsonl"), "InputNotFound", "404"),
        "missing-input": Bad(
            builtin("train", inputs=[{"name": "text", "uri": text}]),
            "MissingInput",
            'algorithm train needs an input named "model"; add it to spec.inputs',
        ),
        "unknown-algorithm": Bad(
            builtin("trian"), "UnknownAlgorithm", 'did you mean "train"? There are: '
        ),
        "timeout-above-limit": Bad(
            program("", timeout="11m"), "TimeoutAboveLimit", "ask for at most 10m"
        ),
        "too-many-nodes": Bad(
            program("", environmentRef={"name": "lonely"}, nodes=2),
            "TooManyNodes",
            "spec.nodes 2 is more than the environment's 1",
        ),
        "own-bucket": Bad(reading("s3://posthuman/tests/x"), "UriRefused", "s3: is refused"),
        "own-store-by-name": Bad(
            reading(f"{s3}/posthuman/tests/x"), "UriRefused", "the environment's own store"
        ),
        "private-address": Bad(
            reading("http://10.96.0.1/x"), "UriRefused", "a private, loopback or link-local address"
        ),
        "link-local-address": Bad(
            reading("http://169.254.169.254/latest/meta-data"), "UriRefused", "link-local address"
        ),
        "name-of-a-private-address": Bad(
            reading("http://kubernetes.default.svc/x"), "UriRefused", "is not public"
        ),
        "redirected-to-link-local": Bad(
            reading(f"http://{server}/to/http://169.254.169.254/x"), "UriRefused", "is not public"
        ),
        "redirected-to-the-store": Bad(
            reading(f"http://{server}/to/{s3}/posthuman/x"), "UriRefused", "own store"
        ),
        "file-uri": Bad(reading("file:/etc/passwd"), "UriRefused", "file: works only with"),
        "image-not-allowed": Bad(
            {"algorithm": bodies.container(("docker.io/library/busybox", ""), "true")},
            "ImageNotAllowed",
            "is not in the environment's policy.allowedImages",
        ),
        "exits-1": Bad(
            program("import sys; sys.exit('the data is unreadable')"),
            "Error",
            "the algorithm ended with exit code 1",
            log="the data is unreadable",
        ),
        "out-of-memory": Bad(
            program("print('begun', flush=True)\n" + HUNGRY),
            "OOMKilled",
            "ask for more in spec.resources.memory",
            log="begun",
        ),
        "past-its-timeout": Bad(
            program(SLOW, timeout="5s"),
            "DeadlineExceeded",
            "ran longer than its timeout of 5s; ask for more in spec.timeout",
            log="begun",
        ),
        "writes-nothing": Bad(
            program("print('nothing to say')"), "NoOutput", "", log="nothing to say"
        ),
        "no-model-to-publish": Bad(
            program("open('/data/outputs/report.json', 'w').write('{}')"),
            "NothingToPublish",
            "spec.publish asks for an asset",
            log="",
        ),
        "unpullable-image": Bad(
            {"algorithm": bodies.container(("registry.invalid/none:1", ""), "true"),
             "resources": SMALL, "publish": PUBLISH},
            "ImagePullFailed",
            "the image can't be pulled",
        ),
    }  # fmt: skip


NAMES = tuple(bad_jobs("unused:1"))
RAN = tuple(name for name, bad in bad_jobs("unused:1").items() if bad.log is not None)


@pytest.fixture(scope="module")
def jobs(world: World) -> dict[str, Bad]:
    """All of them applied; none waits for another."""
    workspace = {"size": "1Gi", "accessMode": "ReadWriteOnce"}
    hardware = {"maxNodes": 1}
    lonely = bodies.environment(
        "lonely", world.services.contracts, workspace=workspace, hardware=hardware
    )
    world.ready_environment(lonely)
    bad = bad_jobs(world.files_address)
    world.apply(*(bodies.compute_job(TENANT, name, **job.spec) for name, job in bad.items()))
    return bad


@pytest.fixture
def ended(world: World, jobs: dict[str, Bad], name: str) -> Body:
    """One of them, at its end."""
    return world.recorder.finished_job(TENANT, name, timeout_seconds=200)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_job_fails_with_a_sentence_and_publishes_nothing(
    world: World, jobs: dict[str, Bad], name: str, ended: Body
) -> None:
    status, why = ended["status"], condition(ended, "Succeeded")
    assert (status["phase"], why["status"]) == ("Failed", "False")
    assert why["reason"] == jobs[name].reason, why
    assert jobs[name].sentence in why["message"]
    assert "Traceback" not in why["message"]
    assert "asset" not in status
    assert world.recorder.find("ModelAsset", TENANT, name) is None


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
    assert "set exactly one of builtin and image" in said
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
