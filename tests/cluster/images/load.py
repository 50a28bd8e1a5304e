"""`load-images`: the project's three images, and the servers that its tests need beside it."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.cluster import binaries, facts
from tests.cluster.errors import ClusterError
from tests.cluster.images import dockerfile, steps
from tests.cluster.images.base import base
from tests.cluster.images.housekeeping import prune
from tests.cluster.images.stack import Stack, extend
from tests.cluster.images.store import (
    containerd_answers,
    ctr,
    image_digest,
    image_names,
    importing,
)
from tests.cluster.layout import CACHE, IMAGE_PREFIX, REPOSITORY
from tests.cluster.shell import run, say, turn

TEST_IMAGE_PREFIX = "docker.io/posthuman-test"
ANVIL_PACKAGE = "@foundry-rs/anvil-linux-amd64"
ANVIL_VERSION = "1.7.1"
NON_ROOT = {"User": "65532:65532", "Env": ["HOME=/tmp", "PATH=/usr/local/bin:/usr/bin:/bin"]}


def load(wanted: Iterable[str]) -> None:
    """Bring images into containerd; layers that are there already cost nothing."""
    if not containerd_answers():
        raise ClusterError("images go into the cluster's containerd; run `make cluster` first")
    with turn(CACHE / "images.lock", "building images"):
        for name in wanted:
            BUILDERS[name](name)


def _project_image(name: str) -> None:
    recipe = dockerfile.read(REPOSITORY / "docker" / f"{name}.Dockerfile")
    stack, used = base(), set[str]()
    for step in steps.of(recipe):
        stack = extend(stack, step, name)
        used.add(stack.key)
    _publish(name, f"{IMAGE_PREFIX}/{name}", stack, recipe.config)
    prune(name, used)


def _versitygw(name: str) -> None:
    binaries.build([binaries.VERSITYGW])
    _one_program(name, binaries.program("versitygw"))


def _anvil(name: str) -> None:
    _one_program(name, _anvil_program())


def _one_program(name: str, program: Path) -> None:
    stack = extend(base(), steps.place(program, f"/usr/local/bin/{name}"), name)
    _publish(name, f"{TEST_IMAGE_PREFIX}/{name}", stack, {**NON_ROOT, "Entrypoint": [name]})
    prune(name, {stack.key})


def _anvil_program() -> Path:
    """The local chain's server, as its npm package ships it."""
    folder = CACHE / "npm" / f"anvil-{ANVIL_VERSION}"
    program = folder / "node_modules" / ANVIL_PACKAGE / "bin" / "anvil"
    if not program.exists():
        if shutil.which("npm") is None:
            raise ClusterError("npm isn't installed, and the anvil image comes from npm")
        say("fetching anvil, about 10 s, once a machine")
        package = f"{ANVIL_PACKAGE}@{ANVIL_VERSION}"
        run("npm", "install", "--ignore-scripts", "--no-save", "--prefix", folder, package)
    return program


def _publish(name: str, repository: str, stack: Stack, config: Mapping[str, object]) -> None:
    """Name a stack as an image, by tag and by digest: custody rules name images by digest."""
    tag = f"{repository}:dev"
    with importing() as stream:
        stream.add_image(tag, dict(config), list(stack.layers))
    ctr("images", "tag", "--force", tag, f"{repository}@{image_digest(tag)}")
    _record(name, tag)
    say(f"{tag} is {image_digest(tag)}")


def record_loaded() -> None:
    """Tell a new cluster's facts of the images that containerd kept from the last one."""
    present = image_names()
    for name in BUILDERS:
        prefix = TEST_IMAGE_PREFIX if name in ("versitygw", "anvil") else IMAGE_PREFIX
        if f"{prefix}/{name}:dev" in present:
            _record(name, f"{prefix}/{name}:dev")


def _record(name: str, tag: str) -> None:
    key = name.upper()
    facts.record(**{f"{key}_IMAGE": tag, f"{key}_IMAGE_DIGEST": image_digest(tag)})


BUILDERS: dict[str, Callable[[str], None]] = {
    "jobkit": _project_image,
    "operator": _project_image,
    "versitygw": _versitygw,
    "anvil": _anvil,
    "algorithms": _project_image,
}
