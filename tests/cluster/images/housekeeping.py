"""Throwing away what no image needs any more, so that the cache holds one build and not ten.

The kubelet's part of containerd gives every image a second name, its config's digest, which would
keep a forgotten image's layers for ever.
"""

import json
from collections.abc import Iterable

from tests.cluster.images import snapshots
from tests.cluster.images.stack import CACHED_IMAGE_PREFIX
from tests.cluster.images.store import Blob, Image, ctr, images
from tests.cluster.layout import IMAGE_PREFIX

COSTLY_BYTES = 16 << 20


def tidy() -> None:
    """Drop earlier builds, and a killed one's rest: at a start, when nothing else runs."""
    snapshots.release_all()
    current = {image.digest for image in images() if image.name.endswith(":dev")}
    _remove(
        image
        for image in images()
        if image.name.startswith(IMAGE_PREFIX) and image.digest not in current
    )


def prune(name: str, used: set[str]) -> None:
    """Forget cached layers that an image's Dockerfile no longer leads to."""
    prefix = f"{CACHED_IMAGE_PREFIX}/{name}:"
    _remove(
        image
        for image in images()
        if image.name.startswith(prefix) and image.name.removeprefix(prefix) not in used
    )


def drop_costly(repository: str, layers: Iterable[Blob]) -> None:
    """Forget earlier builds that hold much of their own.

    Those that differ by a changed source stay usable by digest until the next start: somebody's
    operator may still name them.
    """
    current = {layer.digest for layer in layers}
    _remove(
        image
        for image in images()
        if image.name.startswith(f"{repository}@") and _own_bytes(image, current) > COSTLY_BYTES
    )


def _own_bytes(image: Image, shared: set[str]) -> int:
    manifest = json.loads(ctr("content", "get", image.digest))
    return sum(layer["size"] for layer in manifest["layers"] if layer["digest"] not in shared)


def _remove(unwanted: Iterable[Image]) -> None:
    names = [image.name for image in unwanted]
    if names:
        ctr("images", "rm", *names)
    _remove_second_names()


def _remove_second_names() -> None:
    kept = {image.digest for image in images() if not image.name.startswith("sha256:")}
    orphans = [image.name for image in images() if image.digest not in kept]
    if orphans:
        ctr("images", "rm", *orphans)
