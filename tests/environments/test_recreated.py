"""An environment that is deleted and made anew under its name: nothing of the old one is kept.

Its chain and signer can't be changed otherwise, so this is how an admin corrects them.
"""

from __future__ import annotations

import asyncio

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.bootstrap import Adapters
from tests.builders import HeldClock, environment


async def _url_of(found: ComputeEnvironment) -> str:
    return found.spec.store.url


async def test_a_namesake_gets_adapters_of_its_own() -> None:
    adapters = Adapters(HeldClock(), _url_of, lambda url: f"opened {url}")
    old = environment(store={"url": "s3://old/x"})
    new = environment(store={"url": "s3://new/x"})
    new = msgspec.structs.replace(new, metadata=msgspec.structs.replace(new.metadata, uid="u2"))
    assert await adapters.of(old) == "opened s3://old/x"
    assert await adapters.of(new) == "opened s3://new/x"


async def test_passes_that_ask_at_once_share_one_adapter() -> None:
    opened: list[str] = []

    async def slowly(found: ComputeEnvironment) -> str:
        await asyncio.sleep(0)
        return found.spec.store.url

    def open_one(url: str) -> int:
        opened.append(url)
        return len(opened)

    adapters, found = Adapters(HeldClock(), slowly, open_one), environment()
    both = await asyncio.gather(adapters.of(found), adapters.of(found))
    assert list(both) == [1, 1]
