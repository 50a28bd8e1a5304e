"""`posthuman buy` and `earnings` against a real chain, as a person types them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner, Result

from posthuman.assets.did import did_of
from posthuman.cli.app import app
from posthuman.ledger.account import balance_wei
from posthuman.ledger.buying import start_order
from posthuman.ledger.node import CHAIN_ID
from tests.cli.conftest import an_environment
from tests.ledger.market import asset_of, at_a_rate, market_fee, rich
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
T = TypeVar("T")
ANSWER = Callable[..., Result]


def now(awaited: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(awaited)


@pytest.fixture
def environment(chain: Chain, tmp_path: Path) -> Path:
    """An environment's file, as its admin may hand it out: without Secrets."""
    file = tmp_path / "lab.yaml"
    spec = {
        "chainId": CHAIN_ID,
        "rpcUrlSecret": {"name": "chain-rpc"},
        "signerSecret": {"name": "chain-signer"},
        "contracts": {"erc721Factory": chain.contracts.erc721_factory},
    }
    file.write_text(yaml.safe_dump(an_environment(chain=spec)))
    return file


@pytest.fixture
def buy(chain: Chain, environment: Path, tmp_path: Path) -> ANSWER:
    def run(buyer: LocalAccount, *arguments: str) -> Result:
        key = tmp_path / "key"
        key.write_text(buyer.key.hex())
        place = ("--rpc", chain.url, "--environment", str(environment), "--key-file", str(key))
        return CliRunner().invoke(app, ["buy", *arguments, *place])

    return run


def said(result: Result) -> str:
    return " ".join(result.stderr.split())


def earned(subject: str, chain: Chain, environment: Path, *form: str) -> Result:
    place = ("--rpc", chain.url, "--environment", str(environment))
    return CliRunner().invoke(app, ["earnings", subject, *place, *form])


def test_it_says_the_price_pays_and_prints_what_goes_under_the_input(
    chain: Chain, buy: ANSWER
) -> None:
    owner, buyer = now(chain.new_account()), now(rich(chain, 20))
    sale, fee = at_a_rate(chain, owner.address, "10"), market_fee(chain, owner.address, "5")
    did = did_of(now(asset_of(chain, owner, sale, fee)).nft, CHAIN_ID)
    asked = buy(buyer, did, "--service", "evaluate")
    assert asked.exit_code == 2
    assert "10.01 OCEAN (datatoken) 5 OCEAN (market fee) and the chain's gas" in said(asked)
    assert "nothing was paid: say --yes" in said(asked)
    paid = buy(buyer, did, "--service", "evaluate", "--yes", "-o", "json")
    assert paid.exit_code == 0, paid.output
    facts = json.loads(paid.stdout)
    assert (facts["service"], facts["serviceIndex"], facts["consumer"]) == (
        "evaluate", 2, buyer.address,
    )  # fmt: skip
    assert [cost["amount"] for cost in facts["costs"]] == ["10.01", "5"]
    receipt = now(chain.rpc("eth_getTransactionReceipt", facts["order"]["txId"]))
    assert receipt["status"] == "0x1"
    left = now(balance_wei(chain.url, chain.contracts.ocean_token, buyer.address))
    assert left == 20 * 10**18 - 15_010_000_000_000_000_000


def test_the_lines_for_the_job_are_yaml(chain: Chain, buy: ANSWER) -> None:
    owner, friend = now(rich(chain, 20)), now(chain.new_account())
    sale = at_a_rate(chain, owner.address, "1")
    did = did_of(now(asset_of(chain, owner, sale)).nft, CHAIN_ID)
    result = buy(owner, did, "--service", "train", "--yes", "--consumer", friend.address)
    assert result.exit_code == 0, result.output
    order = yaml.safe_load(result.stdout.rpartition("\n#")[2].partition("\n")[2])["order"]
    assert order["serviceId"] == "train"
    assert order["txId"].startswith("0x") and len(order["txId"]) == 66
    assert f"a job whose owner is {friend.address}" in result.stdout


def test_too_few_tokens(chain: Chain, buy: ANSWER) -> None:
    owner, buyer = now(chain.new_account()), now(chain.new_account())
    did = did_of(now(asset_of(chain, owner, at_a_rate(chain, owner.address, "10"))).nft, CHAIN_ID)
    result = buy(buyer, did, "--service", "train", "--yes")
    assert result.exit_code == 2
    assert "holds 0 OCEAN and needs 10.01 OCEAN" in said(result)


def test_no_such_service_and_no_such_asset(chain: Chain, buy: ANSWER) -> None:
    owner = now(chain.new_account())
    did = did_of(now(asset_of(chain, owner)).nft, CHAIN_ID)
    result = buy(owner, did, "--service", "sell", "--yes")
    assert result.exit_code == 2
    assert 'has no service "sell": choose one of train, infer, evaluate' in said(result)
    result = buy(owner, "did:op:" + 64 * "0", "--service", "train")
    assert result.exit_code == 1
    assert "has no NFT with the DID" in said(result)


def test_where_the_ddo_can_not_be_read_a_service_is_named_by_its_place(
    chain: Chain, buy: ANSWER
) -> None:
    owner, buyer = now(chain.new_account()), now(rich(chain, 5))
    sale = at_a_rate(chain, owner.address, "1")
    did = did_of(now(asset_of(chain, owner, sale, ddo=b"nobody can read this")).nft, CHAIN_ID)
    result = buy(buyer, did, "--service", "infer", "--yes")
    assert result.exit_code == 2
    assert "no service that can be read" in said(result)
    result = buy(buyer, did, "--service", "1", "--yes", "-o", "json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["serviceIndex"], list(facts["order"])) == (1, ["txId"])


def test_a_node_of_another_chain_and_none_at_all(
    chain: Chain, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTHUMAN_PRIVATE_KEY", "01" * 32)
    did = "did:op:" + 64 * "0"
    result = CliRunner().invoke(
        app, ["buy", did, "--service", "train", "--workdir", str(tmp_path / "none")]
    )
    assert result.exit_code == 2
    assert "holds no chain: name a node's URL" in said(result)
    environment.write_text(environment.read_text().replace(str(CHAIN_ID), "137"))
    monkeypatch.setenv("POSTHUMAN_RPC_URL", chain.url)
    result = CliRunner().invoke(
        app, ["buy", did, "--service", "train", "--environment", str(environment)]
    )
    assert result.exit_code == 2
    assert f"answers for chain {CHAIN_ID}, the environment is on 137" in said(result)


def test_without_a_key_nothing_is_asked_of_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTHUMAN_PRIVATE_KEY", raising=False)
    arguments = ["buy", "did:op:" + 64 * "0", "--service", "train", "--rpc", "http://127.0.0.1:1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "no key to pay with" in said(result)
    monkeypatch.setenv("POSTHUMAN_PRIVATE_KEY", "not-a-key")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "POSTHUMAN_PRIVATE_KEY holds no key: it must be 32 bytes" in said(result)
    assert "not-a-key" not in result.output
    assert "no DID" in said(CliRunner().invoke(app, ["buy", "x", "--service", "train"]))


def test_earnings_of_an_asset_and_of_its_owner_who_is_the_market_too(
    chain: Chain, environment: Path
) -> None:
    owner, buyer = now(chain.new_account()), now(rich(chain, 50))
    sale, fee = at_a_rate(chain, owner.address, "10"), market_fee(chain, owner.address, "5")
    asset = now(asset_of(chain, owner, sale, fee))
    ordered = [now(start_order(chain.url, bytes(buyer.key), asset.datatoken, n)) for n in (0, 1)]
    did = did_of(asset.nft, CHAIN_ID)
    text = earned(did, chain, environment)
    assert text.exit_code == 0, text.output
    for line in (
        "orders: 2",
        "sold at the exchange: 2 datatokens for 20.02 OCEAN: 20 OCEAN the owner's, "
        "0.02 OCEAN Ocean's community's",
        "waiting at the exchange for the owner to collect: 20 OCEAN",
        f"market fees: 10 OCEAN to {owner.address}",
        f"infer for {buyer.address}, 5 OCEAN market fee: {ordered[1].tx_id}",
    ):
        assert line in text.stdout
    facts = json.loads(earned(did, chain, environment, "-o", "json").stdout)
    assert [order["service"] for order in facts["orders"]] == ["train", "infer"]
    assert [order["txId"] for order in facts["orders"]] == [bought.tx_id for bought in ordered]
    assert facts["waiting"][0]["amount"] == "20"
    whole = earned(owner.address.lower(), chain, environment)
    assert f"{owner.address} owns 1 asset" in whole.stdout
    assert f"as a market's owner: 10 OCEAN\n  10 OCEAN of 2 orders of {did}" in whole.stdout
    nothing = earned(buyer.address, chain, environment)
    assert "owns 0 assets" in nothing.stdout
    assert "as a market's owner: nothing" in nothing.stdout


def test_the_nodes_url_may_stand_in_a_secret_beside_the_environment(
    chain: Chain, environment: Path
) -> None:
    owner = now(chain.new_account())
    arguments = ["earnings", owner.address, "--environment", str(environment)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "name a node yourself, by --rpc" in said(result)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "chain-rpc", "namespace": "work"},
        "stringData": {"url": chain.url},
    }
    environment.write_text(f"{environment.read_text()}\n---\n{yaml.safe_dump(secret)}")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"{owner.address} owns 0 assets" in result.stdout


def test_earnings_of_what_is_neither(chain: Chain, environment: Path) -> None:
    result = earned("alice", chain, environment)
    assert result.exit_code == 2
    assert '"alice" is neither a DID' in said(result)
