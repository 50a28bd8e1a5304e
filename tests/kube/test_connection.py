"""A kubeconfig that can't be used: the sentence says which, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthuman.errors import UserError
from posthuman.kube.connection import connect, connect_as_person


async def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with pytest.raises(UserError, match=f'there is no kubeconfig "{path}"'):
        await connect(str(path))


async def test_a_persons_own_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = f"{tmp_path / 'a'}:{tmp_path / 'b'}"
    monkeypatch.setenv("KUBECONFIG", paths)
    with pytest.raises(UserError, match=f'there is no kubeconfig "{paths}"'):
        await connect_as_person()


@pytest.mark.parametrize(
    "raw", [b"", b"- a\n", b"a", b"a: [", b"clusters: 1\n", b"contexts: {}\n", b"\xe7\x00"]
)
async def test_one_that_is_none_is_named(
    raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    path.write_bytes(raw)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'away'}:{path}")
    with pytest.raises(UserError, match=r"can't be used: .*get-contexts"):
        await connect_as_person()
