"""Servers are known by pid and start time, so that a stale pid file can't hit a stranger."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import daemons
from tests.cluster.errors import ClusterError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the tests' servers apart from a cluster that is up."""
    monkeypatch.setattr(daemons, "PIDS", tmp_path / "pids")
    monkeypatch.setattr(daemons, "LOGS", tmp_path / "logs")
    yield
    for name in daemons.names():
        daemons.stop(name)


def test_a_server_lives_until_it_is_stopped() -> None:
    daemons.start("sleeper", SLEEPER)
    assert daemons.alive("sleeper")

    daemons.stop("sleeper")

    assert not daemons.alive("sleeper")
    assert daemons.names() == []


def test_a_pid_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as stranger:
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "sleeper").write_text(f"{stranger.pid} 1")

        daemons.stop("sleeper")

        assert stranger.poll() is None
        os.kill(stranger.pid, 9)


def test_a_server_that_died_is_reported_with_its_last_words() -> None:
    daemons.start("broken", [sys.executable, "-c", "raise SystemExit('no such folder')"])
    with pytest.raises(ClusterError, match="no such folder"):
        while True:
            daemons.require_alive("broken")
