"""The operator installed on the real cluster, once a test run, with an S3 server and a chain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from jobkit.manifest import Manifest
from posthuman.cli.story import cast
from posthuman.cli.story.prepare import Data, prepare
from posthuman.cli.story.script import TINY
from posthuman.store.results import ObjectResultStore
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import kubectl
from tests.story import bodies, files, installation, services
from tests.story.recorder import Body, Recorder

TENANT = "tests"  # a namespace beside those of the story's people
PEOPLE = tuple(person.namespace for person in cast.CAST)
WATCHED = (
    "computejobs.compute.posthuman.network",
    "modelassets.compute.posthuman.network",
    "computeenvironments.compute.posthuman.network",
    "jobs.batch",
    "pods",
    "networkpolicies",
    "events",
)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What tests on the cluster share."""

    services: services.Services
    recorder: Recorder
    files_address: str  # host:port of the web server in the cluster

    def apply(self, *applied: Mapping[str, Any]) -> None:
        """kubectl apply. Raises ClusterError with the API server's words."""
        documents = "\n---\n".join(json.dumps(body) for body in applied)
        kubectl("apply", "-f", "-", stdin=documents)

    def refusal(self, body: Mapping[str, Any]) -> str:
        """What kubectl says when the API server doesn't take it."""
        with pytest.raises(ClusterError) as refused:
            self.apply(body)
        return str(refused.value)

    def ready_environment(self, body: Mapping[str, Any]) -> None:
        """Apply it, and wait until it is Ready."""
        self.apply(body)
        name = body["metadata"]["name"]

        def ready() -> bool:
            found = self.recorder.find("ComputeEnvironment", "", name)
            return condition(found, "Ready").get("status") == "True"

        self.recorder.wait(ready, 60, f"environment {name} to be Ready")

    def manifest(self, job: Body) -> Manifest:
        """Of a job's results."""
        results = job["status"]["results"]
        found, digest = asyncio.run(self._results(job).manifest(results["prefix"]))
        assert digest == results["manifestDigest"]
        return found

    def result(self, job: Body, path: str) -> bytes:
        """One file of a job's results."""
        return asyncio.run(self._results(job).get(f"{job['status']['results']['prefix']}/{path}"))

    def _results(self, job: Body) -> ObjectResultStore:
        results = job["status"]["results"]
        return self.services.results(results["uri"].removesuffix(f"/{results['prefix']}"))


def condition(body: Body | None, kind: str) -> Mapping[str, Any]:
    """A condition of an object, empty where it has none of that kind."""
    found = (body or {}).get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == kind), {})


@pytest.fixture(scope="session")
def world(cluster_facts: Mapping[str, str]) -> Iterator[World]:
    """Installed anew; taken away at the end (about 30 s)."""
    assert "OPERATOR_IMAGE" in cluster_facts, "run `python -m tests.cluster load-images` first"
    started = services.start()
    installation.install([*PEOPLE, TENANT])
    try:
        with Recorder(*WATCHED) as recorder:
            made = World(services=started, recorder=recorder, files_address=files.start())
            made.apply(*bodies.secrets())
            made.ready_environment(_environment(made))
            yield made
    finally:
        installation.clear([*PEOPLE, TENANT])
        services.stop()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """The tiny model, and text (about 8 s)."""
    return asyncio.run(prepare(TINY, tmp_path_factory.mktemp("tiny")))


def _environment(world: World) -> dict[str, Any]:
    """Where images of one's own may run, and inputs come from the web server in the cluster."""
    address = world.files_address.partition(":")[0]
    policy = {
        "allowedImages": [installation.image("jobkit")[0], "registry.invalid/"],
        "allowedUriSchemes": ["https", "http"],
        "allowedPrivateCIDRs": [f"{address}/32"],
    }
    limits = {"maxDuration": "10m"}
    return bodies.environment("tests", world.services.contracts, policy=policy, limits=limits)
