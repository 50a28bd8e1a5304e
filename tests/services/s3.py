"""A real S3 server (versitygw over a folder), as a session fixture."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from jobkit.objects import ACCESS_KEY_ENV, SECRET_KEY_ENV
from tests.cluster import binaries

START_SECONDS = 20.0
BUCKET = "posthuman-test"


class S3Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running server with one bucket."""

    endpoint: str
    bucket: str
    credentials: dict[str, str]  # AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    folder: Path  # the server's own: <folder>/<bucket>/<key>


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """On a free loopback port; built the first time (about 2 min)."""
    binaries.build([binaries.VERSITYGW])
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Start a server over `folder`, and end it."""
    credentials = {ACCESS_KEY_ENV: "test-access", SECRET_KEY_ENV: "test-secret"}
    (folder / "data" / BUCKET).mkdir(parents=True)
    port = _free_port()
    process = _start(folder, port, credentials)
    try:
        _wait_until_listening(process, port, folder / "log")
        yield S3Server(
            endpoint=f"http://127.0.0.1:{port}",
            bucket=BUCKET,
            credentials=credentials,
            folder=folder / "data",
        )
    finally:
        process.terminate()
        process.wait()


def _start(folder: Path, port: int, credentials: dict[str, str]) -> subprocess.Popen[bytes]:
    keys = {
        "ROOT_ACCESS_KEY": credentials[ACCESS_KEY_ENV],
        "ROOT_SECRET_KEY": credentials[SECRET_KEY_ENV],
    }
    gateway = binaries.program("versitygw")
    command: list[str | Path] = [gateway, "--port", f"127.0.0.1:{port}", "posix", folder / "data"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env={**os.environ, **keys}, stdout=log, stderr=log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"versitygw doesn't start: {log.read_text()}", pytrace=False)
