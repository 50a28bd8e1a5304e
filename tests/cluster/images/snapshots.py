"""containerd's snapshots as places to build in.

A layer is built in a snapshot on top of the layers below it and committed under the name that
containerd itself would give it, so an image made of it needs no unpacking: five gigabytes are
written once as files and once as a blob, and never again.
"""

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.images.store import Blob, ctr
from tests.cluster.layout import RUN
from tests.cluster.shell import run

BENCHES = RUN / "build"
GC_ROOT_LABEL = "containerd.io/gc.root"


@dataclass(frozen=True)
class Workbench:
    """A mounted snapshot: the whole file system, and the folder that holds its changes alone."""

    key: str
    root: Path
    changes: Path


def chain_id(layers: Sequence[Blob]) -> str:
    """The OCI name of a stack of layers, which is containerd's name of its snapshot."""
    name = ""
    for layer in layers:
        below = f"{name} {layer.digest}"
        name = layer.digest if not name else _sha256(below)
    return name


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def names() -> set[str]:
    """Every snapshot that there is."""
    return {line.split()[0] for line in ctr("snapshots", "ls").splitlines()[1:]}


def clear_benches() -> None:
    """Take away the workbenches of a killed build; only the build's lock holder may."""
    for root in BENCHES.iterdir() if BENCHES.is_dir() else ():
        _dismantle(root, root.name)


@contextmanager
def workbench(key: str, parent: str) -> Iterator[Workbench]:
    """Mount a fresh snapshot over `parent`; it is thrown away unless it was committed."""
    root = BENCHES / key
    root.mkdir(parents=True)
    ctr("snapshots", "prepare", key, parent)
    command = ctr("snapshots", "mounts", root, key)
    run(*shlex.split(command))
    try:
        yield Workbench(key, root, _changes_folder(command))
    finally:
        _dismantle(root, key)


def _dismantle(root: Path, key: str) -> None:
    _unmount(root)
    if root.exists():
        root.rmdir()  # never a tree: were something still mounted, that would be deleted
    if key in names():
        ctr("snapshots", "rm", key)


def _changes_folder(mount_command: str) -> Path:
    """Where an overlay keeps its upper side; the lowest layer is a plain bind mount."""
    found = re.search(r"upperdir=([^,\s]+)", mount_command)
    if found is None:
        found = re.search(r"bind (\S+) ", mount_command)
    if found is None:
        raise ClusterError(f"containerd offers an unknown kind of mount: {mount_command}")
    return Path(found[1])


def commit(bench: Workbench, layers: Sequence[Blob]) -> None:
    """Freeze a workbench as the snapshot of these layers, unless containerd has it already."""
    _unmount(bench.root)
    if chain_id(layers) not in names():
        ctr("snapshots", "commit", chain_id(layers), bench.key)


def release(layers: Sequence[Blob]) -> None:
    """Let containerd drop this snapshot once no image needs it."""
    ctr("snapshots", "label", chain_id(layers), f"{GC_ROOT_LABEL}=")


def release_all() -> None:
    """Release what a killed build left behind."""
    for line in ctr("snapshots", "ls").splitlines()[1:]:
        ctr("snapshots", "label", line.split()[0], f"{GC_ROOT_LABEL}=")


def _unmount(root: Path) -> None:
    # Path.is_mount() knows no bind mount from the same disk, which the lowest layer's is.
    while f" {root} " in Path("/proc/self/mounts").read_text():
        run("umount", "--recursive", root)
