"""Helm, run as a person runs it, and what it renders as plain objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import binaries
from tests.cluster.layout import KUBERNETES_VERSION, REPOSITORY

CHART = REPOSITORY / "charts" / "posthuman-operator"
RELEASE = "posthuman"
NAMESPACE = "posthuman-system"

Object = dict[str, Any]


class HelmFailed(Exception):
    """Helm's own words."""


class Rendered:
    """The objects of one rendering."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The one of that name; a missing or a second one fails the test."""
        (found,) = [
            candidate
            for candidate in self.of(kind)
            if candidate["metadata"]["name"] == name
            and namespace in (None, candidate["metadata"].get("namespace"))
        ]
        return found


def render(values: Mapping[str, Any], chart: Path = CHART, release: str = RELEASE) -> Rendered:
    """`helm template`. Raises HelmFailed."""
    text = helm(
        *("template", release, str(chart), "--namespace", NAMESPACE, "--values", "-"),
        *("--kube-version", KUBERNETES_VERSION),
        stdin=json.dumps(values),
    )
    return Rendered([found for found in yaml.safe_load_all(text) if found])


def helm(*arguments: str, stdin: str = "") -> str:
    """Standard output. Raises HelmFailed with what Helm said."""
    program = binaries.HELM.folder / "helm"
    done = subprocess.run(
        [str(program), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmFailed(done.stderr)
    return done.stdout
