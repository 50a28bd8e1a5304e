"""Threads: as many as the process may use, whatever the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from algorithms.shared.cpus import available_cpus


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", 16), ("150000 100000", 2), ("1000 100000", 1), ("9900000 100000", 16)],
)
def test_the_cgroups_quota_counts(
    quota: str, cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert available_cpus(tmp_path / "cpu.max") == cpus


def test_without_a_cgroup_the_cores_count(tmp_path: Path) -> None:
    assert available_cpus(tmp_path / "absent") == len(os.sched_getaffinity(0))
