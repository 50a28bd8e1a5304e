"""Helm, from the cache of the cluster's programs; and the chart on a real API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.api.bodies import asset, job
from tests.chart.real import DRY, Installation, changed, installed
from tests.chart.verdicts import wait_until_refused
from tests.cluster import binaries
from tests.cluster.errors import ClusterError

NAKED = {"metadata": {"name": "it"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}


@pytest.fixture(scope="session", autouse=True)
def _helm() -> None:
    try:
        binaries.build([binaries.HELM])
    except ClusterError as error:
        pytest.skip(f"no Helm, and none can be built: {error}")


@pytest.fixture(scope="session")
def chart(cluster_facts: Mapping[str, str]) -> Iterator[Installation]:
    """The chart with its policies in force, and a job of Bob's."""
    with installed(cluster_facts) as ready:
        stored = ready.create(job(parameters={"steps": 5}))
        renamed = changed(stored, parameters={"epochs": 5})
        wait_until_refused(lambda: ready.create_pod(ready.sealed, NAKED))
        wait_until_refused(lambda: ready.create(asset(jobUid="1"), **DRY))
        wait_until_refused(lambda: ready.replace(renamed, **DRY))
        yield ready
