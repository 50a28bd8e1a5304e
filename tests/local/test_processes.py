"""A step's processes: read, ended with grace, and never left behind, whoever dies first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posthuman.local.processes import NodeProcess, start_process
from tests.local.observing import alive, until

# Starts a process in a session of its own, as torchrun does, tells its pid, and stays.
LONE_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
print(child.pid, flush=True)
time.sleep(600 if "stay" in sys.argv else 0)
"""

# What the CLI is to its steps: start one under a guard, tell its child, wait to be killed.
PARENT = """
import asyncio, sys
from pathlib import Path
from posthuman.local.processes import start_process

async def main():
    said = asyncio.Event()
    def tell(line):
        print(line, flush=True)
    process = await start_process(
        [sys.executable, "-c", sys.argv[2], "stay"], {}, Path(sys.argv[1]),
        Path(sys.argv[1]) / "log", tell)
    await process.wait()

asyncio.run(main())
"""


async def start(folder: Path, code: str, *arguments: str) -> tuple[NodeProcess, list[str]]:
    lines: list[str] = []
    command = [sys.executable, "-c", code, *arguments]
    process = await start_process(command, {"GIVEN": "yes"}, folder, folder / "log", lines.append)
    return process, lines


async def test_output_is_heard_and_kept(tmp_path: Path) -> None:
    process, lines = await start(tmp_path, "print('one'); print('two', end='')")
    assert await process.wait() == 0
    assert lines == ["one"]
    assert (tmp_path / "log").read_text() == "one\ntwo"


async def test_only_given_variables_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    process, lines = await start(tmp_path, "import os; print(sorted(os.environ))")
    await process.wait()
    assert "GIVEN" in lines[0]
    assert "AWS" not in lines[0]


@pytest.mark.parametrize(("code", "expected"), [("exit(3)", 3), ("import os; os.abort()", 134)])
async def test_exit_code_is_the_programs(tmp_path: Path, code: str, expected: int) -> None:
    process, _ = await start(tmp_path, code)
    assert await process.wait() == expected


async def test_sigterm_gives_time_to_save(tmp_path: Path) -> None:
    """The handler writes to the file itself: it may interrupt the print of "ready"."""
    code = (
        "import os, signal, time\n"
        "def save(*_):\n    os.write(1, b'saved\\n'); raise SystemExit(7)\n"
        "signal.signal(signal.SIGTERM, save); print('ready', flush=True); time.sleep(600)"
    )
    process, lines = await start(tmp_path, code)
    await asyncio.to_thread(until, lambda: lines == ["ready"])
    process.terminate(grace_seconds=60)
    assert await process.wait() == 7
    assert lines == ["ready", "saved"]


async def test_sigkill_follows_the_grace(tmp_path: Path) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    process, lines = await start(tmp_path, code)
    await asyncio.to_thread(until, lambda: lines == ["ready"])
    process.terminate(grace_seconds=0.1)
    assert await process.wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize("manner", ["ends", "stay"])
async def test_a_child_in_another_session_is_ended_too(tmp_path: Path, manner: str) -> None:
    process, lines = await start(tmp_path, LONE_CHILD, manner)
    await asyncio.to_thread(until, lambda: bool(lines))
    child = int(lines[0])
    if manner == "stay":
        assert alive(child)
        process.terminate(grace_seconds=0.1)
    await process.wait()
    assert not alive(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), LONE_CHILD],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(number)
        parent.wait()
        until(lambda: not alive(child))
