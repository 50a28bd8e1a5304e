"""The same world on a real chain: a real EVM node with Ocean's contracts."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.meta import Key
from posthuman.chain_ports import Ledger
from posthuman.errors import UserError
from posthuman.ledger.ocean import OceanLedger, open_ledger
from tests.assets.world import REWARD_WEI, World
from tests.builders import BOB
from tests.services.chain import Chain


class RealWorld(World):
    """The same on a real chain, with a signer of its own."""

    breath_seconds = 0.002

    def __init__(self, chain: Chain, account: LocalAccount, **spec: Any) -> None:
        self.real = chain
        self.account = account
        self.opened: list[OceanLedger] = []
        super().__init__(self._open, **spec)

    def _open(self) -> Ledger:
        ledger = open_ledger(self.real.url, bytes(self.account.key), self.real.spec())
        self.opened.append(ledger)
        return ledger

    async def close(self) -> None:
        for ledger in self.opened:
            await ledger.close()


async def check_real(world: RealWorld, key: Key) -> None:
    """One NFT, one reward, the owner's; the signer sent four transactions and no more."""
    status = world.asset(key).status
    async with world.real.ledger(world.account) as ledger:
        found = await ledger.find(status.publication_id)
        assert found and found.nft == status.nft
        assert await ledger.minted_wei(found.datatoken, BOB, found.block) == REWARD_WEI
        assert await ledger.nft_owner(found.nft) == BOB
        assert await ledger.has_metadata(found.nft)
        created = [nft.publication.publication_id for nft in await ledger.creations()]
        assert created.count(status.publication_id) == 1
        assert (await ledger.nonces()).mined == 4  # so one mint, and nothing else
        with pytest.raises(UserError, match="NOT MINTER"):
            await ledger.prepare_mint(found.datatoken, BOB, 1)
    assert not world.held()
