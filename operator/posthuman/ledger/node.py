"""The embedded chain: one anvil process on a free loopback port, its state kept in a file.

For the demo, `posthuman run` and tests; a real environment names its own node's URL.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from posthuman.errors import TransientError, UserError
from posthuman.ledger.anvil import anvil_binary

CHAIN_ID = 8996  # what Ocean's own development chain uses
START_SECONDS = 20.0
STOP_SECONDS = 20.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, no proxy
_PR_SET_PDEATHSIG = 1
_ATTEMPTS = 3  # another process may take the port between our choice and anvil's bind


class Node(NamedTuple):
    """A running node."""

    url: str
    pid: int


@contextmanager
def local_node(state_file: Path | None = None, *, block_seconds: int = 0) -> Iterator[Node]:
    """Run a node until the block ends, however it ends; its state is then in `state_file`.

    `block_seconds` 0: a block for each transaction, at once. Raises TransientError, UserError.
    """
    binary = anvil_binary()
    process, url = _start(binary, state_file, block_seconds)
    try:
        yield Node(url, process.pid)
    finally:
        _stop(process)


def _start(
    binary: Path, state_file: Path | None, block_seconds: int
) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(_ATTEMPTS):
        port = _free_port()
        process = _spawn(_command(binary, state_file, block_seconds, port))
        url = f"http://127.0.0.1:{port}"
        if _wait_until_up(process, url):
            return process, url
    raise TransientError(_why_not(process, state_file))


def _command(binary: Path, state_file: Path | None, block_seconds: int, port: int) -> list[str]:
    command = [str(binary), "--silent", "--chain-id", str(CHAIN_ID), "--port", str(port)]
    if state_file:
        state_file.parent.mkdir(parents=True, exist_ok=True)
        command += ["--state", str(state_file)]
    if block_seconds:
        command += ["--block-time", str(block_seconds)]
    return command


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that a terminal's Ctrl-C doesn't end it before we do; on Linux it
    is told to end, and so to save its state, should even we be killed."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    except OSError as error:
        raise UserError(f"{command[0]} can't be run here: {error}") from error


def _end_with_parent() -> None:
    """Between fork and exec. It follows the thread that started the node: start it in a thread
    that lasts, as the main one does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(process: subprocess.Popen[bytes], url: str) -> bool:
    """False if it ended by itself; raises TransientError if it never answers."""
    deadline = time.monotonic() + START_SECONDS
    try:
        while process.poll() is None:
            if _answers(url):
                return True
            if time.monotonic() > deadline:
                raise TransientError(f"anvil did not answer within {START_SECONDS:.0f} s")
            time.sleep(0.02)
    except BaseException:
        _stop(process)
        raise
    return False


def _answers(url: str) -> bool:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with _DIRECT.open(request, timeout=2) as response:
            return int(json.load(response)["result"], 16) == CHAIN_ID
    except (OSError, ValueError, KeyError):
        return False


def _why_not(process: subprocess.Popen[bytes], state_file: Path | None) -> str:
    said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
    hint = f"; if {state_file} is damaged, remove it" if state_file else ""
    return f"anvil ended at once with exit code {process.returncode}: {said[-600:]}{hint}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets anvil write its state; a second Ctrl-C meanwhile doesn't stop us stopping it."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except BaseException:
        _signal_group(process, signal.SIGKILL)
        process.wait()
        raise
    finally:
        if process.stderr:
            process.stderr.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
