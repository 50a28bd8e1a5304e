"""Deploys all of Ocean's contracts on a chain that has none: a local one, or a private one.

As a program: `python -m posthuman.ledger.deploy --rpc URL --out FILE [--key-file FILE]`, which
writes the addresses as JSON, ready for `spec.chain.contracts` of a ComputeEnvironment.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from web3.contract import AsyncContract
from web3.contract.async_contract import AsyncContractFunction

from posthuman.api.environment import ChainContracts
from posthuman.errors import PosthumanError
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.contracts import artifact
from posthuman.ledger.rpc import Web3, open_web3
from posthuman.ledger.transact import Call, transact

DEAD_ADDRESS = "0x000000000000000000000000000000000000dEaD"  # the pools that Ocean gave up


async def deploy(rpc_url: str, private_key: bytes = DEV_KEYS[0]) -> ChainContracts:
    """Deploy and wire up everything; the key's account owns it and pays.

    Raises TransientError if the node fails, UserError if it refuses. Deploys anew each time.
    """
    web3 = open_web3(rpc_url)
    try:
        return await _Deployer(web3, account_of(private_key)).deploy()
    finally:
        await web3.provider.disconnect()


class _Deployer:
    """One account, sending one transaction after another."""

    def __init__(self, web3: Web3, account: LocalAccount) -> None:
        self._web3 = web3
        self._account = account

    async def deploy(self) -> ChainContracts:
        """The order is given: each contract is told of those before it."""
        owner = self._account.address
        ocean = await self._create("OceanToken", owner)
        collector = await self._create("OPFCommunityFeeCollector", owner, owner)
        router = await self._create(
            "FactoryRouter", owner, ocean.address, DEAD_ADDRESS, collector.address, []
        )
        exchange = await self._create("FixedRateExchange", router.address)
        dispenser, factory = await self._factory(router)
        await self._call(router.functions.addFactory(factory.address))
        await self._call(router.functions.addFixedRateContract(exchange.address))
        await self._call(router.functions.addDispenserContract(dispenser.address))
        return ChainContracts(
            erc721_factory=factory.address,
            ocean_token=ocean.address,
            fixed_rate_exchange=exchange.address,
            dispenser=dispenser.address,
        )

    async def _factory(self, router: AsyncContract) -> tuple[AsyncContract, AsyncContract]:
        token = await self._create("ERC20Template")
        enterprise = await self._create("ERC20TemplateEnterprise")
        nft = await self._create("ERC721Template")
        dispenser = await self._create("Dispenser", router.address)
        factory = await self._create("ERC721Factory", nft.address, token.address, router.address)
        await self._call(factory.functions.addTokenTemplate(enterprise.address))
        return dispenser, factory

    async def _create(self, name: str, *arguments: Any) -> AsyncContract:
        compiled = artifact(name)
        contract = self._web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode)
        address = await self._transact(contract.constructor(*arguments), f"deploying {name}")
        return self._web3.eth.contract(address, abi=compiled.abi)

    async def _call(self, function: AsyncContractFunction) -> None:
        await self._transact(function, f"calling {function.fn_name}")

    async def _transact(self, call: Call, doing: str) -> ChecksumAddress:
        """The address of the contract it made or called."""
        receipt = await transact(self._web3, self._account, call, doing)
        return receipt["contractAddress"] or receipt["to"]


def main() -> int:
    """Exit code 0 once the addresses are written."""
    parser = argparse.ArgumentParser(description="Deploy Ocean's contracts on an EVM chain.")
    parser.add_argument("--rpc", required=True, help="the node's URL")
    parser.add_argument("--out", required=True, type=Path, help="file for the addresses, JSON")
    parser.add_argument("--key-file", type=Path, help="deployer's key; anvil's first if left out")
    options = parser.parse_args()
    key = options.key_file.read_bytes() if options.key_file else DEV_KEYS[0]
    try:
        contracts = asyncio.run(deploy(options.rpc, key))
    except PosthumanError as error:
        print(error, file=sys.stderr)
        return 1
    options.out.write_bytes(msgspec.json.encode(contracts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
