"""Ocean's contracts: their ABIs and bytecode, and where they are deployed on known chains.

Both come from the `ocean-contracts` package (top-level packages `artifacts` and `addresses`).
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from posthuman.api.environment import ChainContracts, ChainSpec
from posthuman.errors import UserError


class Artifact(NamedTuple):
    """One compiled contract."""

    abi: list[dict[str, Any]]
    bytecode: str


class Deployment(NamedTuple):
    """Ocean on one chain; `first_block`: no event of its factory is older."""

    contracts: ChainContracts
    first_block: int


@cache
def artifact(name: str) -> Artifact:
    """A contract by its Solidity name, as compiled by Ocean."""
    content = json.loads((resources.files("artifacts") / f"{name}.json").read_text())
    return Artifact(content["abi"], content["bytecode"])


def abi_of(name: str, *members: str) -> list[dict[str, Any]]:
    """The named functions and events alone: web3 takes 20 ms to read one of these ABIs whole."""
    return [entry for entry in artifact(name).abi if entry.get("name") in members]


def deployment_of(chain: ChainSpec) -> Deployment:
    """The environment's own contracts, else the address book's. Raises UserError if neither."""
    if chain.contracts:
        return Deployment(chain.contracts, 0)
    for entry in _address_book().values():
        if entry.get("chainId") == chain.chain_id and entry.get("ERC721Factory"):
            return Deployment(_contracts(entry), int(entry.get("startBlock") or 0))
    raise UserError(
        f"Ocean's address book has no chain {chain.chain_id}: "
        "set spec.chain.contracts.erc721Factory to the factory deployed there",
        reason="ContractsUnknown",
    )


@cache
def _address_book() -> dict[str, dict[str, Any]]:
    book: dict[str, dict[str, Any]] = json.loads(
        (resources.files("addresses") / "address.json").read_text()
    )
    return book


def _contracts(entry: dict[str, Any]) -> ChainContracts:
    return ChainContracts(
        erc721_factory=entry["ERC721Factory"],
        ocean_token=entry.get("Ocean") or "",
        fixed_rate_exchange=entry.get("FixedPrice") or "",
        dispenser=entry.get("Dispenser") or "",
    )
