"""One process of a step on this machine: started under a guard, read, ended, never left behind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
READ_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 16  # of a line that is looked at; the log keeps all of it

OnLine = Callable[[str], None]


class NodeProcess:
    """A running program, with its output in a log file and, line by line, in `on_line`."""

    def __init__(self, guard: asyncio.subprocess.Process, log: Path, on_line: OnLine) -> None:
        self._guard = guard
        self._log = log
        self._on_line = on_line
        self._output = asyncio.create_task(self._read_output())

    @property
    def alive(self) -> bool:
        """Whether the program, or anything that came of it, may still run."""
        return self._guard.returncode is None

    async def wait(self) -> int:
        """The exit code, once the program ended and its output is read."""
        await self._output
        return await self._guard.wait()

    def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace; returns at once, and says so only once."""
        pipe = self._guard.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(f"{grace_seconds}\n".encode())
            pipe.close()

    async def _read_output(self) -> None:
        assert self._guard.stdout is not None
        rest = b""
        with self._log.open("wb", buffering=0) as log:
            while chunk := await self._guard.stdout.read(READ_BYTES):
                log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[:MAX_LINE_BYTES]
                for line in lines:
                    self._on_line(line.decode(errors="replace"))


async def start_process(
    command: Sequence[str],
    variables: Mapping[str, str],
    folder: Path,
    log: Path,
    on_line: OnLine,
) -> NodeProcess:
    """Start a program in a folder with exactly these environment variables."""
    guard = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(GUARD),
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(variables),
        cwd=folder,
        start_new_session=True,
    )
    return NodeProcess(guard, log, on_line)
