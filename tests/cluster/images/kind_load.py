"""`load-images` where a Docker engine works: Docker builds, kind carries the images to its node."""

from collections.abc import Iterable
from pathlib import Path

from tests.cluster.images.names import PROGRAM_IMAGES, program_for, record, repository
from tests.cluster.images.store import find_digest, parse_images
from tests.cluster.layout import REPOSITORY
from tests.cluster.shell import run, say

PROGRAM_DOCKERFILE = """\
FROM python:3.11-slim-bookworm
COPY {name} /usr/local/bin/{name}
USER 65532:65532
ENV HOME=/tmp
ENTRYPOINT ["{name}"]
"""


def load(names: Iterable[str], kind: Path, cluster: str, node: str) -> None:
    """Build each image and name it on the node by tag and by digest."""
    ctr = ("docker", "exec", node, "ctr", "--namespace", "k8s.io")
    for name in names:
        tag = f"{repository(name)}:dev"
        say(f"building {tag}")
        _build(name, tag)
        run(kind, "load", "docker-image", tag, "--name", cluster)
        digest = find_digest(parse_images(run(*ctr, "images", "ls")), tag)
        run(*ctr, "images", "tag", "--force", tag, f"{repository(name)}@{digest}")
        record(name, digest)


def _build(name: str, tag: str) -> None:
    build = ("docker", "build", "--quiet", "--tag", tag)
    if name in PROGRAM_IMAGES:
        dockerfile = PROGRAM_DOCKERFILE.format(name=name)
        run(*build, "--file", "-", program_for(name).parent, stdin=dockerfile)
    else:
        run(*build, "--file", REPOSITORY / "docker" / f"{name}.Dockerfile", REPOSITORY)
