"""`load-images` without Docker: the images are built in the cluster's own containerd."""

from collections.abc import Iterable, Mapping

from tests.cluster.errors import ClusterError
from tests.cluster.images import dockerfile, steps
from tests.cluster.images.base import base
from tests.cluster.images.housekeeping import drop_costly, prune
from tests.cluster.images.names import ALL_IMAGES, PROGRAM_IMAGES, program_for, record, repository
from tests.cluster.images.snapshots import clear_benches
from tests.cluster.images.stack import Stack, extend
from tests.cluster.images.store import (
    containerd_answers,
    ctr,
    find_digest,
    image_names,
    images,
    importing,
)
from tests.cluster.layout import CACHE, REPOSITORY
from tests.cluster.shell import say, turn

PROGRAM_CONFIG = {"User": "65532:65532", "Env": ["HOME=/tmp", "PATH=/usr/local/bin:/usr/bin:/bin"]}


def load(names: Iterable[str]) -> None:
    """Bring images into containerd; layers that are there already cost nothing."""
    if not containerd_answers():
        raise ClusterError("images go into the cluster's containerd; run `make cluster` first")
    with turn(CACHE / "images.lock", "building images"):
        clear_benches()
        for name in names:
            if name in PROGRAM_IMAGES:
                _load_program(name)
            else:
                _load_project_image(name)


def record_loaded() -> None:
    """Tell a new cluster's facts of the images that containerd kept from the last one."""
    present = image_names()
    for name in ALL_IMAGES:
        tag = f"{repository(name)}:dev"
        if tag in present:
            record(name, find_digest(images(), tag))


def _load_project_image(name: str) -> None:
    recipe = dockerfile.read(REPOSITORY / "docker" / f"{name}.Dockerfile")
    stack, used = base(), set[str]()
    for step in steps.of(recipe):
        stack = extend(stack, step, name)
        used.add(stack.key)
    _publish(name, stack, recipe.config)
    prune(name, used)


def _load_program(name: str) -> None:
    stack = extend(base(), steps.place(program_for(name), f"/usr/local/bin/{name}"), name)
    _publish(name, stack, {**PROGRAM_CONFIG, "Entrypoint": [name]})
    prune(name, {stack.key})


def _publish(name: str, stack: Stack, config: Mapping[str, object]) -> None:
    """Name a stack as an image, by tag and by digest: custody rules name images by digest."""
    tag = f"{repository(name)}:dev"
    with importing() as stream:
        stream.add_image(tag, dict(config), stack.layers)
    drop_costly(repository(name), stack.layers)
    digest = find_digest(images(), tag)
    ctr("images", "tag", "--force", tag, f"{repository(name)}@{digest}")
    record(name, digest)
    say(f"{tag} is {digest}")
