"""What a Dockerfile's instructions do to a mounted file system, and what their result depends on.

The fingerprint of a step covers everything that can change its layer, so a cached layer is the one
that carrying the step out anew would give.
"""

import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.images.dockerfile import Copy, Mount, Recipe, Run
from tests.cluster.layout import REPOSITORY
from tests.cluster.shell import run

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
IGNORED = ("__pycache__", "*.pyc")  # as in docker/*.dockerignore
# How this machine reaches its package registries is its own affair: never part of an image.
PASSED_THROUGH = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "UV_DEFAULT_INDEX")


@dataclass(frozen=True)
class Step:
    """One layer to make: what it is called, what it depends on, and how it is made."""

    label: str
    fingerprint: str
    carry_out: Callable[[Path], None]


def of(recipe: Recipe) -> Iterator[Step]:
    """The steps of a Dockerfile, in order."""
    for instruction in recipe.steps:
        if isinstance(instruction, Copy):
            yield _copy_step(instruction)
        else:
            yield _run_step(instruction, recipe)


def place(source: Path, target: str) -> Step:
    """A file or folder put at an absolute path of the image."""

    def carry_out(root: Path) -> None:
        destination = root / target.lstrip("/")
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns(*IGNORED)
            shutil.copytree(source, destination, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, destination)

    return Step(f"copying {source.name}", f"copy {target} {_content_digest(source)}", carry_out)


def _copy_step(copy: Copy) -> Step:
    return place(_in_checkout(copy.source), copy.target)


def _run_step(instruction: Run, recipe: Recipe) -> Step:
    sources = [mount.source for mount in instruction.mounts if mount.type == "bind"]
    contents = [_content_digest(_in_checkout(source)) for source in sources]
    fingerprint = repr((instruction, sorted(recipe.arguments.items()), contents))

    def carry_out(root: Path) -> None:
        run_inside(root, instruction.command, instruction.mounts, recipe.arguments)

    return Step(f"running {instruction.command[:50]}…", fingerprint, carry_out)


def run_inside(
    root: Path, command: str, mounts: tuple[Mount, ...], environment: Mapping[str, str]
) -> None:
    """Run a shell command in a file system, in mount and process namespaces that end with it."""
    quoted = shlex.quote(str(root))
    script = [
        "set -e",
        "mount --make-rprivate /",
        f"mount -t proc proc {quoted}/proc",
        f"mount --rbind /dev {quoted}/dev",
        f"mount -t tmpfs tmpfs {quoted}/tmp",
        *_bind(root, Path("/etc/resolv.conf"), "/etc/resolv.conf"),
        *(_bind(root, CERTIFICATES, str(CERTIFICATES)) if CERTIFICATES.exists() else ()),
        *(line for mount in mounts for line in _mount(root, mount)),
        f"exec env -i {_environment(environment)} chroot {quoted} sh -ec {shlex.quote(command)}",
    ]
    # The step ends with us: were we killed, it would go on alone in a folder that nobody knows.
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    run("setpriv", "--pdeathsig", "KILL", "nice", *apart, "sh", "-c", "\n".join(script))


def _mount(root: Path, mount: Mount) -> Iterator[str]:
    if mount.type == "cache":
        ours = _own_cache(mount.target)
        ours.mkdir(parents=True, exist_ok=True)
        yield f"mkdir -p {shlex.quote(str(root / mount.target.lstrip('/')))}"
        yield from _bind(root, ours, mount.target, create=False)
    elif mount.type == "bind" and mount.target.startswith("/tmp/"):
        yield from _bind(root, _in_checkout(mount.source), mount.target)
    else:
        raise ClusterError(f"{mount}: only caches, and files bound below /tmp, are known here")


def _own_cache(target: str) -> Path:
    """The image's root user shares this user's caches: torch is downloaded once a machine."""
    return Path.home() / Path(target).relative_to("/root")


def _bind(root: Path, source: Path, target: str, create: bool = True) -> Iterator[str]:
    inside = shlex.quote(str(root / target.lstrip("/")))
    if create:
        yield f"test -e {inside} || touch {inside}"
    yield f"mount --bind {shlex.quote(str(source))} {inside}"


def _environment(extra: Mapping[str, str]) -> str:
    passed = {name: os.environ[name] for name in PASSED_THROUGH if name in os.environ}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    values = {
        "PATH": path,
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        **passed,
        **extra,
    }
    return " ".join(shlex.quote(f"{name}={value}") for name, value in values.items())


def _in_checkout(source: str) -> Path:
    path = REPOSITORY / source
    if not path.exists():
        raise ClusterError(f"{path} is missing, and an image in docker/ is made of it")
    return path


def _content_digest(source: Path) -> str:
    """A digest of a file's or a folder's names, modes and bytes."""
    digest = hashlib.sha256()
    for path in sorted([source, *source.rglob("*")] if source.is_dir() else [source]):
        relative = path.relative_to(source)
        if any(relative_part.match(pattern) for pattern in IGNORED
               for relative_part in map(Path, relative.parts)):  # fmt: skip
            continue
        digest.update(f"{relative}\0{path.stat().st_mode & 0o777}\0".encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
