"""Running other programs, telling the person at the terminal what is going on, and taking turns."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.errors import ClusterError

Argument = str | Path


def say(message: str) -> None:
    """Print one line of progress at once, so that a long step never looks like a hang."""
    print(f"[cluster] {message}", flush=True)


def run(
    *command: Argument,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed; a failure carries its last words."""
    result = attempt(*command, stdin=stdin, env=env, cwd=cwd)
    if result.returncode != 0:
        words = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        line = " ".join(str(part) for part in command)
        raise ClusterError(f"`{line}` ended with {result.returncode}:\n{words}")
    return result.stdout


def attempt(
    *command: Argument,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program whose failure is an answer, not a fault."""
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def run_long(log: Path, command: Sequence[Argument], env: Mapping[str, str], cwd: Path) -> None:
    """Run a program of minutes with its output in a file that a person can follow."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as sink:
        code = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **env},
            cwd=cwd,
            stdout=sink,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code != 0:
        words = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ClusterError(f"`{command[0]} {command[1]} …` ended with {code} ({log}):\n{words}")


def wait_until(
    what: str, ready: Callable[[], bool], timeout_seconds: float, hint: str = ""
) -> None:
    """Look every fifth of a second until `ready`; say what was awaited if it never came."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not come within {timeout_seconds:.0f} s. {hint}")
        time.sleep(0.2)


@contextmanager
def turn(lock_file: Path, waiting_for: str) -> Iterator[None]:
    """Hold a lock that dies with its process, so that two builders never do the same work."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is {waiting_for}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fail(error: ClusterError) -> int:
    """Print a fault for a person and give the exit code that scripts go by."""
    print(f"[cluster] {error}", file=sys.stderr)
    return error.exit_code
