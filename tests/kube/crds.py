"""The CustomResourceDefinitions on the real cluster, as `helm install` would leave them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from posthuman.api.meta import API_VERSION

KINDS = ("computejobs", "modelassets", "computeenvironments")
SERVED_WITHIN_SECONDS = 60.0
CRDS = Path(__file__).resolve().parents[2] / "crds"


def apply_crds(cluster_facts: Mapping[str, str]) -> Path:
    """Apply them, wait until they are served, and return the kubeconfig's path."""
    kubectl = [cluster_facts["KUBECTL"], "--kubeconfig", cluster_facts["KUBECONFIG"]]
    _run([*kubectl, "apply", "--filename", str(CRDS)])
    deadline = time.monotonic() + SERVED_WITHIN_SECONDS
    # Raw and without a limit: such a list comes from the watch cache, which is ready last.
    for kind in KINDS:
        while not _answers([*kubectl, "get", "--raw", f"/apis/{API_VERSION}/{kind}"]):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{kind} aren't served after {SERVED_WITHIN_SECONDS} s")
    return Path(cluster_facts["KUBECONFIG"])


def _answers(command: list[str]) -> bool:
    """A definition that was just applied is answered with "storage is (re)initializing"."""
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
