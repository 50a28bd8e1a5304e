"""The story's acts, wherever it is told: who buys what, and then applies which manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from posthuman.api.meta import Key
from posthuman.cli.story import cast
from posthuman.cli.story.shop import BOB_BUYS, CHARLIE_BUYS, DEREK_BUYS, ELENA_BUYS, Minted, Shop


class Stage(Protocol):
    """Where it is told: this machine, or a cluster."""

    async def apply(self, file: str, orders: Mapping[str, str]) -> None:
        """`kubectl apply` of one manifest, with these orders' transactions filled in."""

    async def published(self, asset: Key) -> None:
        """Wait for it. Raises PosthumanError once something of the story has failed."""


async def play(stage: Stage, shop: Shop) -> Minted:
    """Up to the last manifest; what is still running then goes on. What Bob minted is told."""
    await shop.open()
    await stage.apply("alice-publishes.yaml", {})
    await stage.published(cast.BASE_MODEL)
    await stage.apply("bob-trains.yaml", await shop.buy(BOB_BUYS))
    await stage.published(cast.BOB_TRAINS)
    bobs = await shop.bob_mints()
    await shop.give(cast.BOB, cast.BOB_TRAINS, cast.ELENA)
    await stage.apply("charlie-trains.yaml", await shop.buy(CHARLIE_BUYS))
    await stage.published(cast.CHARLIE_TRAINS)
    await stage.apply("derek-generates.yaml", await shop.buy(DEREK_BUYS))
    await stage.apply("elena-evaluates.yaml", await shop.buy(ELENA_BUYS))
    return bobs
