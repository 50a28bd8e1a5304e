"""Owners on a real chain: they mint and earn, the operator doesn't any more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.environment import ChainContracts
from posthuman.chain import MarketFee, Publication, Receipt, UnsignedTransaction
from posthuman.errors import UserError
from posthuman.ledger.account import balance_wei, mint, read_datatoken
from posthuman.ledger.contracts import artifact
from posthuman.ledger.ocean import OceanLedger
from posthuman.ledger.rpc import open_web3
from tests.services.chain import Chain, mined

pytestmark = pytest.mark.chain
SAID = Publication(publication_id="p", parents=(), manifest_digest="sha256:" + "0" * 64)
TOKENS = 10**18


async def carry_out(ledger: OceanLedger, unsigned: UnsignedTransaction) -> Receipt:
    signed = await ledger.sign(unsigned, (await ledger.nonces()).pending)
    await ledger.send(signed.raw)
    return await mined(ledger, signed.hash)


async def publish(ledger: OceanLedger, owner: LocalAccount, fee: MarketFee) -> Receipt:
    created = await carry_out(ledger, await ledger.prepare_create(SAID, "A model", fee))
    await carry_out(ledger, await ledger.prepare_transfer(created.nft, owner.address))
    return created


async def test_the_owner_mints_as_often_as_they_like(chain: Chain) -> None:
    owner = await chain.new_account()
    async with chain.ledger() as ledger:
        created = await publish(ledger, owner, MarketFee())
        for _ in range(2):
            await mint(chain.url, bytes(owner.key), created.datatoken, owner.address, 50 * TOKENS)
        with pytest.raises(UserError, match="NOT MINTER"):
            await ledger.prepare_mint(created.datatoken, owner.address, 1)
    assert await balance_wei(chain.url, created.datatoken, owner.address) == 100 * TOKENS
    told = await read_datatoken(chain.url, created.datatoken)
    assert (told.name, told.supply_wei) == ("A model", 100 * TOKENS)


async def test_a_stranger_cant_mint(chain: Chain) -> None:
    owner, stranger = await chain.new_account(), await chain.new_account()
    async with chain.ledger() as ledger:
        created = await publish(ledger, owner, MarketFee())
    with pytest.raises(UserError, match="contract refuses"):
        await mint(chain.url, bytes(stranger.key), created.datatoken, stranger.address, 1)


async def test_payments_go_to_the_new_owner_and_the_market_keeps_its_fee(chain: Chain) -> None:
    owner, market = await chain.new_account(), await chain.new_account()
    fee = MarketFee(address=market.address, token=chain.contracts.ocean_token, amount="0.25")
    async with chain.ledger() as ledger:
        created = await publish(ledger, owner, fee)
    web3 = open_web3(chain.url)
    token = web3.eth.contract(
        web3.to_checksum_address(created.datatoken), abi=artifact("ERC20Template").abi
    )
    assert await token.functions.getPaymentCollector().call() == owner.address
    assert await token.functions.getPublishingMarketFee().call() == [
        market.address,
        chain.contracts.ocean_token,
        TOKENS // 4,
    ]
    await web3.provider.disconnect()


def test_the_deployment_runs_as_a_program(chain: Chain, tmp_path: Path) -> None:
    """As the demo's cluster runs it, in a Job."""
    out = tmp_path / "contracts.json"
    command = [
        sys.executable,
        "-m",
        "posthuman.ledger.deploy",
        "--rpc",
        chain.url,
        "--out",
        str(out),
    ]
    subprocess.run(command, check=True)
    deployed = msgspec.json.decode(out.read_bytes(), type=ChainContracts)
    assert deployed.erc721_factory != chain.contracts.erc721_factory
    assert set(json.loads(out.read_bytes())) == {
        "erc721Factory",
        "oceanToken",
        "fixedRateExchange",
        "dispenser",
    }


def test_a_deployment_that_cant_be_made_says_so_without_the_url(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/secret-api-key"
    command = [sys.executable, "-m", "posthuman.ledger.deploy", "--rpc", url]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "can't be reached" in ended.stderr
    assert "secret-api-key" not in ended.stderr
