"""The cluster's servers as processes of this machine, and their end, also after a killed `up`.

Each runs in a session of its own, so that a terminal's Ctrl-C doesn't reach it, and is known by pid
*and* start time: a pid file left by a killed run can never point at somebody else's process.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import CONTAINERD_SOCKET, LOGS, PIDS
from tests.cluster.shell import Argument

STOP_SECONDS = 10.0


def start(name: str, command: Sequence[Argument], env: Mapping[str, str] | None = None) -> None:
    """Start a server unless it runs already; its output goes to `.run/cluster/logs`."""
    if alive(name):
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("a") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    PIDS.mkdir(parents=True, exist_ok=True)
    (PIDS / name).write_text(f"{process.pid} {_start_time(process.pid)}")


def alive(name: str) -> bool:
    """Does the process that we started under this name still run?"""
    return _recorded_pid(name) is not None


def require_alive(name: str) -> None:
    """Say at once that a server died, with its last words, rather than wait for a time-out."""
    if not alive(name):
        log = LOGS / f"{name}.log"
        words = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ClusterError(f"{name} has ended ({log}):\n{words}")


def names() -> list[str]:
    """Every server that has a pid file, running or not."""
    return sorted(file.name for file in PIDS.iterdir()) if PIDS.is_dir() else []


def stop(name: str) -> None:
    """End one server: politely first, then surely."""
    pid = _recorded_pid(name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _gone_within(name, STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _gone_within(name, STOP_SECONDS)
    (PIDS / name).unlink(missing_ok=True)


def kill_containers() -> None:
    """End every container of ours with its shim, whether or not containerd still lives."""
    for _ in range(20):
        family = [pid for shim in _our_shims() for pid in (*_descendants(shim), shim)]
        if not family:
            return
        for pid in family:
            _kill(pid)
        time.sleep(0.2)
    raise ClusterError("containers of this cluster survive SIGKILL; look at `ps -ef`")


def _our_shims() -> list[int]:
    """Shims name our socket on their command line, which no other containerd has."""
    return [pid for pid, line in _command_lines() if f"-address\0{CONTAINERD_SOCKET}" in line]


def _command_lines() -> list[tuple[int, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(folder.name), (folder / "cmdline").read_text(errors="replace")))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        parent = _stat_field(int(folder.name), 1)
        if parent is not None:
            children.setdefault(int(parent), []).append(int(folder.name))
    family = list(children.get(root, []))
    for pid in family:
        family.extend(children.get(pid, []))
    return family


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself


def _recorded_pid(name: str) -> int | None:
    file = PIDS / name
    if not file.exists():
        return None
    pid, _, started = file.read_text().partition(" ")
    running = _start_time(int(pid)) == started and _stat_field(int(pid), 0) != "Z"
    return int(pid) if running else None


def _start_time(pid: int) -> str | None:
    return _stat_field(pid, 19)


def _stat_field(pid: int, index: int) -> str | None:
    """A field of /proc/PID/stat, counted after the name (which may itself hold blanks)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[index]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _gone_within(name: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(name)
