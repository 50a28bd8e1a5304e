"""The base image where no registry gives `python:3.11-slim-bookworm`: Debian's own Python 3.11."""

from pathlib import Path

from tests.cluster.images.stack import Stack, extend
from tests.cluster.images.steps import Step
from tests.cluster.shell import run, say

SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
# The runtime brings /dev; the rest is this machine's, or no use at run time.
EMPTIED = ("dev", "run", "var/cache/apt", "var/lib/apt/lists", "var/log")


def base() -> Stack:
    """The layer that all images share (about 80 s the first time)."""
    fingerprint = f"debootstrap minbase {SUITE} {PACKAGES} without {EMPTIED}"
    return extend(Stack(), Step("Debian and Python", fingerprint, _debootstrap), "base")


def _debootstrap(root: Path) -> None:
    say("making the base image, about 80 s, once a machine")
    run(
        "nice", "debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, *_mirror()
    )
    for folder in EMPTIED:
        run("find", root / folder, "-mindepth", "1", "-delete")
    (root / "etc/resolv.conf").write_text("")
    (root / "etc/hostname").write_text("")


def _mirror() -> list[str]:
    """The mirror that this machine's apt uses, where it uses one for this suite."""
    listing = run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)")
    pairs = [line.split() for line in listing.splitlines()]
    return [pair[1] for pair in pairs if len(pair) == 2 and pair[0] == SUITE][:1]
