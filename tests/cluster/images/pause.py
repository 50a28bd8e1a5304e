"""The pause image, without which no pod starts: a static program of five lines."""

import tempfile
from pathlib import Path

from tests.cluster.images.store import image_names, single_layer_image
from tests.cluster.layout import HERE, PAUSE_IMAGE
from tests.cluster.shell import run


def import_pause() -> None:
    """Put the pause image into containerd unless it is there."""
    if PAUSE_IMAGE in image_names():
        return
    with tempfile.TemporaryDirectory() as folder:
        run("gcc", "-static", "-Os", "-s", "-o", Path(folder, "pause"), HERE / "images" / "pause.c")
        single_layer_image(PAUSE_IMAGE, Path(folder), {"Entrypoint": ["/pause"]})
