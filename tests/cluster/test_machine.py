"""A machine that can't have a cluster says why in one sentence."""

import os
import shutil

import pytest

from tests.cluster import machine
from tests.cluster.errors import CannotRunHere


def test_without_docker_and_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "docker_works", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(CannotRunHere, match=r"needs (root|Linux)"):
        machine.require_capable()


def test_without_go_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "docker_works", lambda: True)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(CannotRunHere, match="Go isn't installed"):
        machine.require_capable()
