"""The whole embedded story with a tiny model: publish, train twice, generate, evaluate, trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from posthuman.cli.app import app
from posthuman.cli.chain_place import ChainPlace, opened_chain
from posthuman.cli.earnings import owner_account
from posthuman.cli.story import cast
from posthuman.cli.story.script import FOLDER, TINY
from posthuman.cli.story.tell import tell_story
from posthuman.ledger.account import DEV_KEYS
from tests.local.observing import processes_that_name
from tests.services.leaks import leaks

pytestmark = [pytest.mark.chain, pytest.mark.models]

SAID = "said.txt"  # what the story said on stdout and stderr


@pytest.fixture(scope="module")
def sessions() -> Iterator[list[aiohttp.ClientSession]]:
    """Every HTTP session that is opened here, kept from the garbage collector."""
    opened: list[aiohttp.ClientSession] = []
    begin = aiohttp.ClientSession.__init__

    def begin_and_keep(session: aiohttp.ClientSession, *arguments: Any, **named: Any) -> None:
        begin(session, *arguments, **named)
        opened.append(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", begin_and_keep)
        yield opened


@pytest.fixture(scope="module")
def workdir(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[aiohttp.ClientSession]
) -> Path:
    """Where the story has been told, once for all tests."""
    folder = tmp_path_factory.mktemp("story")
    with (folder / SAID).open("w") as said, redirect_stdout(said), redirect_stderr(said):
        assert tell_story(folder, TINY, TINY.steps) == 0
    return folder


def test_no_key_stands_in_anything_that_was_written(workdir: Path) -> None:
    """Whatever was said, logged, stored and kept; the keys of the signer and of the people."""
    keys = {f"key {number}": key for number, key in enumerate(DEV_KEYS)}
    files = sorted(path for path in workdir.rglob("*") if path.is_file())
    names = {path.name for path in files}
    assert {SAID, "posthuman.log", "state.json", "manifest.json", "algorithm.log"} <= names
    assert "Alice" in (workdir / SAID).read_text()
    assert leaks(((str(path), path.read_bytes()) for path in files), keys) == []
    planted = [("planted", b'{"privateKey": "%s"}' % DEV_KEYS[9].hex().encode())]
    assert [leak.secret for leak in leaks(planted, keys)] == ["key 9"]


def asset(workdir: Path, name: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((workdir / "assets" / name).read_text())
    return found


def test_three_generations_are_published_each_the_child_of_the_one_before(workdir: Path) -> None:
    alice = asset(workdir, "alice.base-model.json")
    bob = asset(workdir, "bob.bob-trains.json")
    charlie = asset(workdir, "charlie.charlie-trains.json")
    assert "parents" not in alice["spec"]
    assert bob["spec"]["parents"] == [alice["status"]["did"]]
    assert charlie["spec"]["parents"] == [bob["status"]["did"]]


def test_everybody_paid_and_the_market_and_the_owners_earned(workdir: Path) -> None:
    with opened_chain(ChainPlace(workdir=workdir)) as chain:
        alice, bob, charlie = (
            asyncio.run(owner_account(person.address, chain))
            for person in (cast.ALICE, cast.BOB, cast.CHARLIE)
        )
    assert [str(share.money) for share in alice.market_shares] == 3 * ["10 OCEAN"]
    assert list(map(str, alice.market_in_all)) == ["30 OCEAN"]
    [base], [bobs], [charlies] = alice.assets, bob.assets, charlie.assets
    assert [(order.service, cast.name_of(order.payer)) for order in base.orders] == [
        ("train", "Bob"),
        ("evaluate", "Elena"),
    ]
    assert [str(sold.owner) for sold in bobs.sold] == ["20 OCEAN"]
    assert (bobs.handed_out, bobs.minted) == ("1", "251")
    assert (charlies.given_away, charlies.sold) == ("2", ())
    assert [order.service for order in charlies.orders] == ["infer", "evaluate"]


def test_somebody_buys_later_with_a_key_of_their_own(workdir: Path, tmp_path: Path) -> None:
    did = str(asset(workdir, "charlie.charlie-trains.json")["status"]["did"])
    (tmp_path / "key").write_text(cast.DEREK.private_key.hex())
    arguments = ["buy", did, "--service", "infer", "--key-file", str(tmp_path / "key"), "--yes"]
    result = CliRunner().invoke(app, [*arguments, "--workdir", str(workdir), "-o", "json"])
    assert result.exit_code == 0, result.output
    order = json.loads(result.stdout)["order"]
    shown = CliRunner().invoke(app, ["earnings", did, "--workdir", str(workdir), "-o", "json"])
    assert json.loads(shown.stdout)["orders"][-1]["txId"] == order["txId"]


def test_the_plot_is_drawn(workdir: Path) -> None:
    assert (workdir / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_no_process_is_left_and_no_connection(
    workdir: Path, sessions: list[aiohttp.ClientSession]
) -> None:
    assert not processes_that_name(str(workdir))
    assert sessions
    assert [session for session in sessions if not session.closed] == []


def test_the_family_tree_is_told_again_from_chain_and_store_alone(workdir: Path) -> None:
    did = str(asset(workdir, "charlie.charlie-trains.json")["status"]["did"])
    arguments = ["lineage", did, "--workdir", str(workdir), "-o", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    charlie = json.loads(result.stdout)
    [bob] = charlie["parents"]
    [alice] = bob["parents"]
    assert alice["parents"] == []
    assert [found["store"] for found in (charlie, bob, alice)] == 3 * ["matches"]
    assert not processes_that_name(str(workdir))


def test_a_did_that_is_not_on_the_chain(workdir: Path) -> None:
    did = "did:op:" + 64 * "0"
    result = CliRunner().invoke(app, ["lineage", did, "--workdir", str(workdir)])
    assert result.exit_code == 1
    assert "no NFT with the DID" in result.stderr


def test_a_folder_without_a_chain(tmp_path: Path) -> None:
    did = "did:op:" + 64 * "0"
    result = CliRunner().invoke(app, ["lineage", did, "--workdir", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds no chain" in result.stderr


@pytest.mark.parametrize("name", ["foo", "did:op:1", "charlie/charlie-trains"])
def test_what_is_no_did(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["lineage", name, "--workdir", str(tmp_path)])
    assert result.exit_code == 2
    assert f'"{name}" is no DID' in result.stderr


def test_the_quickstart_asks_the_youngest_model(workdir: Path) -> None:
    manifest = FOLDER.parent / "quickstart.yaml"
    result = CliRunner().invoke(
        app, ["run", str(manifest), "--workdir", str(workdir), "-o", "json"]
    )
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)["status"]["results"]
    line = (workdir / "store" / results["prefix"] / "generations.jsonl").read_text()
    assert json.loads(line)["prompt"] == "And it came to pass"
    receipt = workdir / "store" / results["prefix"] / "receipt.json"
    verified = verify(str(receipt), workdir)
    charlie = asset(workdir, "charlie.charlie-trains.json")
    assert json.loads(verified.stdout)["models"] == [charlie["status"]["did"]], verified.output


def test_each_generation_is_verified_to_the_byte(workdir: Path) -> None:
    for name in ("alice.base-model.json", "bob.bob-trains.json", "charlie.charlie-trains.json"):
        told = verify(str(asset(workdir, name)["status"]["did"]), workdir)
        assert told.exit_code == 0, told.output
    bob = asset(workdir, "bob.bob-trains.json")
    source = bob["spec"]["source"]
    assert isinstance(source, dict)
    config = workdir / "store" / source["prefix"] / "model" / "config.json"
    content = config.read_bytes()
    config.write_bytes(content[:-1] + b" ")
    told = verify(str(bob["status"]["did"]), workdir)
    config.write_bytes(content)
    assert told.exit_code == 1
    assert "model/config.json has sha256" in told.stderr.replace("\n", " ")


def test_what_can_not_be_verified(workdir: Path, tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text("")
    assert "this is no receipt" in verify(str(tmp_path / "receipt.json"), workdir).stderr
    assert verify("did:op:1", workdir).exit_code == 2


def verify(subject: str, workdir: Path) -> Result:
    return CliRunner().invoke(app, ["verify", subject, "--workdir", str(workdir), "-o", "json"])
