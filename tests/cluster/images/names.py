"""What the images are called, and which programs the single-program ones hold."""

import shutil
from pathlib import Path

from tests.cluster import binaries, facts
from tests.cluster.errors import ClusterError
from tests.cluster.layout import CACHE, IMAGE_PREFIX, TEST_IMAGE_PREFIX
from tests.cluster.shell import run, say

PROJECT_IMAGES = ("jobkit", "operator", "algorithms")  # docker/NAME.Dockerfile
PROGRAM_IMAGES = ("versitygw", "anvil")  # a base image and one program
ALL_IMAGES = (*PROGRAM_IMAGES, *PROJECT_IMAGES)
ANVIL_PACKAGE = "@foundry-rs/anvil-linux-amd64"
ANVIL_VERSION = "1.7.1"


def repository(name: str) -> str:
    """An image's name without a tag."""
    return f"{TEST_IMAGE_PREFIX if name in PROGRAM_IMAGES else IMAGE_PREFIX}/{name}"


def record(name: str, digest: str) -> None:
    """Tell tests and people which image they are testing."""
    key = name.upper()
    facts.record(**{f"{key}_IMAGE": f"{repository(name)}:dev", f"{key}_IMAGE_DIGEST": digest})


def program_for(name: str) -> Path:
    """The program that a single-program image holds, fetched or built if need be."""
    if name == "anvil":
        return _anvil()
    binaries.build([binaries.VERSITYGW])
    return binaries.program("versitygw")


def _anvil() -> Path:
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
