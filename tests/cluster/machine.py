"""May this machine have a cluster, and what must be installed on it first."""

import os
import platform
import re
import shutil

from tests.cluster.errors import CannotRunHere, ClusterError
from tests.cluster.layout import CACHE
from tests.cluster.shell import attempt, run, say

MINIMUM_GO = (1, 25)
MINIMUM_FREE_GIB = 8

# Program looked for → Debian package that holds it.
DEBIAN_PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "openssl": "openssl",
    "debootstrap": "debootstrap",
    "gcc": "gcc",
}


def docker_works() -> bool:
    """Docker's client alone is no engine: ask the engine itself."""
    return shutil.which("docker") is not None and attempt("docker", "info").returncode == 0


def require_capable() -> None:
    """Raise CannotRunHere with one sentence that says what is missing."""
    if not docker_works():
        _require_root_on_debian()
        _require_kernel()
    _require_go()


def _require_root_on_debian() -> None:
    advice = "; start a Docker engine, and the cluster will be kind's"
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise CannotRunHere("a cluster without Docker needs Linux on x86_64" + advice)
    if os.geteuid() != 0:
        raise CannotRunHere("a cluster without Docker needs root for its containers" + advice)
    if missing_packages() and shutil.which("apt-get") is None:
        names = " ".join(missing_packages())
        raise CannotRunHere(f"{names} are missing and apt-get isn't there to install them{advice}")


def _require_kernel() -> None:
    filesystems = run("cat", "/proc/filesystems")
    if "overlay" not in filesystems and attempt("modprobe", "overlay").returncode != 0:
        raise CannotRunHere("this kernel has no overlayfs, which containerd's images need")


def _require_go() -> None:
    if shutil.which("go") is None:
        raise CannotRunHere("Go isn't installed; the cluster's programs are built from Go modules")
    found = re.search(r"go(\d+)\.(\d+)", run("go", "version"))
    if found is None or (int(found[1]), int(found[2])) < MINIMUM_GO:
        wanted = ".".join(str(part) for part in MINIMUM_GO)
        raise CannotRunHere(f"Go {wanted} or newer is needed; found: {run('go', 'version')}")


def require_free_disk(gib: int = MINIMUM_FREE_GIB) -> None:
    """Refuse a build that would fill the disk half-way."""
    CACHE.mkdir(parents=True, exist_ok=True)
    free_gib = shutil.disk_usage(CACHE).free >> 30
    if free_gib < gib:
        raise ClusterError(
            f"{CACHE} has {free_gib} GiB free and {gib} are needed;"
            " make room or set POSTHUMAN_CACHE to a folder on a larger disk"
        )


def missing_packages() -> list[str]:
    """The Debian packages whose programs aren't here."""
    return [package for program, package in DEBIAN_PACKAGES.items() if not shutil.which(program)]


def install_packages() -> None:
    """Install what is missing; nothing is upgraded, and no service is started."""
    missing = missing_packages()
    if not missing:
        return
    say(f"installing Debian packages, about 20 s, once a machine: {' '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet)
    run("apt-get", "install", "-qy", "--no-install-recommends", *missing, env=quiet)
    if missing_packages():
        raise ClusterError(f"apt-get installed them, yet these are missing: {missing_packages()}")
