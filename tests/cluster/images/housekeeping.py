"""Throwing away what no image needs any more, so that the cache holds one build and not ten.

The kubelet's part of containerd gives every image a second name, its config's digest, which would
keep a forgotten image's layers for ever.
"""

from collections.abc import Iterable

from tests.cluster.images import snapshots
from tests.cluster.images.stack import CACHED_IMAGE_PREFIX
from tests.cluster.images.store import Image, ctr, images
from tests.cluster.layout import IMAGE_PREFIX


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
