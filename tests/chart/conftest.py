"""Helm itself: from the cache of the cluster's programs, built where it isn't there yet."""

from __future__ import annotations

import pytest

from tests.cluster import binaries
from tests.cluster.errors import ClusterError


@pytest.fixture(scope="session", autouse=True)
def _helm() -> None:
    try:
        binaries.build([binaries.HELM])
    except ClusterError as error:
        pytest.skip(f"no Helm, and none can be built: {error}")
