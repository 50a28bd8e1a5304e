"""What a cluster leaves on a machine when its processes are gone: mounts, control groups, files."""

import shutil
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import OWNER_FILE, REPOSITORY
from tests.cluster.shell import attempt

CGROUPS = Path("/sys/fs/cgroup")
CONTAINER_LOG_LINKS = Path("/var/log/containers")


def owner() -> Path:
    """The checkout whose cluster is, or was, on this machine; ours where there is none."""
    return Path(OWNER_FILE.read_text()) if OWNER_FILE.exists() else REPOSITORY


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, innermost first.

    A mount that stays is a fault: deleting the folder would delete what is mounted there.
    """
    for mount in reversed(_mounts_below(folder)):
        attempt("umount", mount)
    for mount in reversed(_mounts_below(folder)):
        attempt("umount", "--lazy", mount)
    if _mounts_below(folder):
        raise ClusterError(f"these mounts can't be taken away: {_mounts_below(folder)}")


def _mounts_below(folder: Path) -> list[Path]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [Path(line.split()[1].replace("\\040", " ")) for line in lines]
    return [point for point in points if folder in point.parents]


def remove_pod_cgroups() -> None:
    """Remove the kubelet's control groups; they are empty once all containers are dead."""
    for root in (CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")):
        if root.is_dir():
            for group in sorted(root.rglob("*/"), reverse=True):
                group.rmdir()
            root.rmdir()


def remove_state(state: Path) -> None:
    """Delete a cluster's files, all but its logs: they tell why it ended."""
    for entry in state.iterdir() if state.is_dir() else ():
        if entry.is_dir() and entry.name != "logs":
            shutil.rmtree(entry)
        elif not entry.is_dir():
            entry.unlink()
    _remove_dangling_links()


def _remove_dangling_links() -> None:
    """The kubelet links every container's log under /var/log, wherever its own folder is."""
    for link in CONTAINER_LOG_LINKS.iterdir() if CONTAINER_LOG_LINKS.is_dir() else ():
        if link.is_symlink() and not link.exists():
            link.unlink()
