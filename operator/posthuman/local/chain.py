"""The embedded chain: a local node on a kept state, with all of Ocean's contracts, once deployed.

Its keys are anvil's well-known ones, worth nothing anywhere else. The folder keeps the node's state
and the contracts' addresses, so that a later command finds the same chain again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from posthuman.api.environment import ChainContracts, ChainSpec
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.errors import UserError
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.deploy import deploy
from posthuman.ledger.node import CHAIN_ID, local_node

RPC_SECRET = "posthuman-chain-rpc"
SIGNER_SECRET = "posthuman-chain-signer"
DEPLOYER_KEY, SIGNER_KEY = DEV_KEYS[0], DEV_KEYS[9]


class EmbeddedChain(msgspec.Struct, frozen=True, kw_only=True):
    """A running node, as an environment names it."""

    url: str
    spec: ChainSpec

    def secrets(self, work_namespace: str) -> dict[Key, dict[str, bytes]]:
        """What the spec's references point to."""
        return {
            Key(work_namespace, RPC_SECRET): {"url": self.url.encode()},
            Key(work_namespace, SIGNER_SECRET): {"privateKey": SIGNER_KEY.hex().encode()},
        }


@contextmanager
def embedded_chain(folder: Path) -> Iterator[EmbeddedChain]:
    """Run the node while the block lasts (and no event loop does: the first time it deploys).

    Raises TransientError, UserError as `local_node` does.
    """
    with local_node(folder / "state.json") as node:
        contracts = _deployed(folder) or asyncio.run(deploy(node.url, DEPLOYER_KEY))
        _addresses_file(folder).write_bytes(msgspec.json.encode(contracts))
        yield EmbeddedChain(url=node.url, spec=_spec(contracts))


def has_chain(folder: Path) -> bool:
    """Whether an earlier run left one."""
    return (folder / "state.json").exists() and _addresses_file(folder).exists()


def _spec(contracts: ChainContracts) -> ChainSpec:
    return ChainSpec(
        chain_id=CHAIN_ID,
        rpc_url_secret=SecretKeyRef(name=RPC_SECRET, key="url"),
        signer_secret=SecretKeyRef(name=SIGNER_SECRET, key="privateKey"),
        contracts=contracts,
    )


def _deployed(folder: Path) -> ChainContracts | None:
    if not has_chain(folder):
        return None
    try:
        return msgspec.json.decode(_addresses_file(folder).read_bytes(), type=ChainContracts)
    except msgspec.MsgspecError as error:
        raise UserError(f"{_addresses_file(folder)} is damaged; remove {folder}") from error


def _addresses_file(folder: Path) -> Path:
    return folder / "contracts.json"
