"""Stands between the laptop's Cluster and one step's program, so that no process outlives us.

Run as a file, `python -I guard.py PROGRAM ARGUMENT…`, with the standard library alone. The guard's
stdin is a pipe that the parent holds open: a number written to it is a grace in seconds, its end
(also by the parent's SIGKILL) means "stop now". Then, and whenever the program ends, every process
that came of it is ended too, also those in sessions of their own (torchrun's workers): on Linux
the guard is their reaper; elsewhere only the program's own process group can be reached. Exits
like the program; 128 plus the signal's number for one that a signal ended, as a kubelet tells it.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ORPHAN_GRACE_SECONDS = 3.0  # where the parent is gone and told none
REAP_SECONDS = 0.01

Program = subprocess.Popen[bytes]


def main() -> int:
    """Run the program of the arguments until it ends or the parent wants it to."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken = _wake_on_signals()
    program = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_guard
    )
    grace_seconds = _wait(program, woken)
    if grace_seconds is not None:
        _terminate(program, grace_seconds)
    _end_all(program)
    code = program.wait()
    return code if code >= 0 else 128 - code


def _wake_on_signals() -> int:
    """A pipe that can be read once a signal came. Ctrl-C is the parent's business, not ours."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reading


def _wait(program: Program, woken: int) -> float | None:
    """None once the program ended; a grace in seconds once the parent wants it to end."""
    while program.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
        else:
            told = os.read(sys.stdin.fileno(), 64).strip()
            return float(told) if told else ORPHAN_GRACE_SECONDS
    return None


def _terminate(program: Program, grace_seconds: float) -> None:
    """SIGTERM to the program's group, and time to save a checkpoint."""
    _signal_group(program, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(grace_seconds)


def _end_all(program: Program) -> None:
    """SIGKILL to the program's group and to every descendant, until none is left."""
    _signal_group(program, signal.SIGKILL)
    while descendants := list(_descendants(os.getpid(), _living_children())):
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(REAP_SECONDS)


def _descendants(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    for child in children.get(pid, []):
        yield child
        yield from _descendants(child, children)


def _living_children() -> dict[int, list[int]]:
    """Process → its children, zombies left out; nothing where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    return children


def _signal_group(program: Program, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)


def _die_with_guard() -> None:
    """Should even the guard be killed: the program gets a SIGTERM."""
    _prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _prctl(option: int, value: int) -> None:
    """A Linux call that the standard library doesn't wrap; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
