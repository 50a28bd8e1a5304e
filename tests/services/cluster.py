"""The real Kubernetes cluster as fixtures: brought up when a test first needs it, then left up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster import facts
from tests.cluster.errors import CannotRunHere


@pytest.fixture(scope="session")
def cluster_facts() -> Mapping[str, str]:
    """`.run/cluster/env`: KUBECONFIG, KUBECTL, HELM, the images. Skips where no cluster can be."""
    capable = _cluster("status", "--can-run")
    if capable.returncode == CannotRunHere.exit_code:
        pytest.skip(f"this machine can't have a cluster: {capable.stderr.strip()}")
    up = _cluster("up")
    if up.returncode:
        pytest.fail(f"the cluster doesn't come up: {up.stdout}{up.stderr}", pytrace=False)
    return facts.read()


@pytest.fixture(scope="session")
def cluster_kubeconfig(cluster_facts: Mapping[str, str]) -> Path:
    """Path of the admin's kubeconfig."""
    return Path(cluster_facts["KUBECONFIG"])


def _cluster(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
