"""Reads the subset of the Dockerfile language that docker/ uses.

The same files build with docker, podman or buildah where there is a registry. What is not in the
subset is refused by name, never skipped.
"""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class Mount:
    """A `RUN --mount`: a file of the checkout, or a cache that outlives the build."""

    type: str
    target: str
    source: str = ""


@dataclass(frozen=True)
class Run:
    """A shell command whose changes become a layer."""

    command: str
    mounts: tuple[Mount, ...]


@dataclass(frozen=True)
class Copy:
    """A file or folder of the checkout that becomes a layer."""

    source: str
    target: str


@dataclass(frozen=True)
class Recipe:
    """A Dockerfile as data: the steps that make layers, and the config of the image."""

    steps: tuple[Run | Copy, ...]
    arguments: dict[str, str]
    config: dict[str, object]


def read(path: Path) -> Recipe:
    """Parse a Dockerfile; its BASE is the caller's to give."""
    reader = _Reader(path)
    for number, line in _logical_lines(path.read_text()):
        keyword, _, rest = line.partition(" ")
        reader.take(keyword.upper(), rest.strip(), number)
    return reader.recipe()


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines without comments, with those that end in a backslash joined."""
    lines: list[tuple[int, str]] = []
    pending = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#") or not line:
            continue
        pending = f"{pending} {line.removesuffix(chr(92)).strip()}".strip()
        if not line.endswith("\\"):
            lines.append((number, pending))
            pending = ""
    return lines


class _Reader:
    """Collects a recipe instruction by instruction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps: list[Run | Copy] = []
        self._arguments: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._config: dict[str, object] = {}

    def take(self, keyword: str, rest: str, number: int) -> None:
        match keyword:
            case "FROM":
                pass  # BASE is the image that the caller has made
            case "ARG":
                self._arguments.update(_pairs(rest))
            case "ENV":
                self._environment.update(_pairs(rest))
            case "RUN" if self._environment:
                raise ClusterError(
                    f"{self._path}:{number}: RUN comes after ENV, and tests/cluster/images doesn't"
                    " give steps the image's environment; put every RUN first"
                )
            case "RUN":
                self._steps.append(_run(rest))
            case "COPY":
                source, target = rest.split()
                self._steps.append(Copy(source, target))
            case "USER":
                self._config["User"] = rest
            case "WORKDIR":
                self._config["WorkingDir"] = rest
            case "ENTRYPOINT":
                self._config["Entrypoint"] = json.loads(rest)
            case _:
                raise ClusterError(
                    f"{self._path}:{number}: {keyword} isn't known to tests/cluster/images;"
                    " teach it there, or say it with the instructions that it knows"
                )

    def recipe(self) -> Recipe:
        environment = [f"{name}={value}" for name, value in self._environment.items()]
        config = {**self._config, "Env": environment}
        return Recipe(tuple(self._steps), self._arguments, config)


def _pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(text))


def _run(text: str) -> Run:
    mounts = []
    while found := re.match(r"--mount=(\S+)\s+", text):
        mounts.append(Mount(**dict(part.split("=", 1) for part in found[1].split(","))))
        text = text[found.end() :]
    return Run(text, tuple(mounts))
