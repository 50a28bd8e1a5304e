"""Jobs that can't end well: a table of them, applied all at once, so that their ends overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.cluster import facts
from tests.services.world import TENANT, World, condition
from tests.story import bodies
from tests.story.installation import image
from tests.story.recorder import Body
from tests.story.services import NAMESPACE

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
    algorithm = bodies.container(_own_image(), "python", "-c", text)
    return {"algorithm": algorithm, "resources": SMALL, "publish": PUBLISH, **spec}


def _own_image() -> tuple[str, str]:
    """Tests are collected without a cluster too, and none of these runs then."""
    return image("jobkit") if facts.read() else ("there-is-no-cluster", "")


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
        ),
        "unpullable-image": Bad(
            {"algorithm": bodies.container(("registry.invalid/none:1", ""), "true"),
             "resources": SMALL, "publish": PUBLISH},
            "ImagePullFailed",
            "the image can't be pulled",
        ),
    }  # fmt: skip


SLOWEST = "unpullable-image"  # a minute's grace: it may be a registry that is down
NAMES = tuple(name for name in bad_jobs("unused:1") if name != SLOWEST)
RAN = tuple(name for name, bad in bad_jobs("unused:1").items() if bad.log is not None)


@pytest.fixture(scope="session")
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


def check(world: World, bad: Bad, ended: Body) -> None:
    """It failed as it should, and nothing is published for it."""
    status, why = ended["status"], condition(ended, "Succeeded")
    assert (status["phase"], why["status"]) == ("Failed", "False")
    assert why["reason"] == bad.reason, why
    assert bad.sentence in why["message"]
    assert "Traceback" not in why["message"]
    assert "asset" not in status
    assert world.recorder.find("ModelAsset", TENANT, ended["metadata"]["name"]) is None
