"""The story, told on the cluster: the same manifests, words and ending as `make demo`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.assets.lineage import Ancestor, Tracer
from posthuman.cli.chain_place import OpenChain
from posthuman.cli.story import cast
from posthuman.cli.story.acts import play
from posthuman.cli.story.epilogue import Epilogue, texts_of
from posthuman.cli.story.estimate import expected_seconds, seconds_left
from posthuman.cli.story.facts import (
    Generation,
    check_that_loss_falls,
    generations,
    losses_of,
)
from posthuman.cli.story.prepare import make
from posthuman.cli.story.script import Pace, Uploads, chain_values, values
from posthuman.cli.story.shop import Minted, Shop
from posthuman.cli.watch import Watch, duration
from posthuman.ledger.account import account_of, read_datatoken
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.reader import open_reader
from tests.story import bodies, stage
from tests.story.mirror import Mirror
from tests.story.recorder import Recorder
from tests.story.services import Services

JOBS = (cast.BOB_TRAINS, cast.CHARLIE_TRAINS, cast.DEREK_GENERATES, cast.ELENA_EVALUATES)
LONGEST_SECONDS = 3600.0


class StoryFailed(Exception):
    """A job of the story failed; says which and why."""


class Telling:
    """One telling of it; `until` and the facts are also what the test asks for."""

    def __init__(self, services: Services, recorder: Recorder, pace: Pace, folder: Path) -> None:
        self.services = services
        self.mirror = Mirror(recorder)
        self._recorder = recorder
        self._pace = pace
        self._folder = folder

    async def tell(self, uploads: Uploads, steps: int, console: Console) -> Epilogue:
        """From the manifests to the ending, shown while it happens."""
        expected, began = expected_seconds(self._pace, steps), time.monotonic()

        def footer() -> Text:
            elapsed = time.monotonic() - began
            left = seconds_left(expected, self.mirror.all(ComputeJob), elapsed)
            return Text(f"the whole story: {duration(elapsed)} so far, about {duration(left)} left")

        shop = self.shop(partial(console.print, markup=False, soft_wrap=True))
        async with Watch(self.mirror, console, footer).shown():
            bobs = await play(self.stage(uploads, steps), shop)
            await self.until(*JOBS)
        return await self.epilogue(bobs, shop)

    def shop(self, say: Callable[[str], None]) -> Shop:
        """Where everybody buys, with keys of their own."""
        spec = stage.chain_spec(self.services)
        return Shop(OpenChain(url=self.services.rpc_url, spec=spec), self.asset, say)

    def stage(self, uploads: Uploads, steps: int | None = None) -> ClusterStage:
        """Where the manifests are applied."""
        contracts = chain_values(CHAIN_ID, self.services.contracts)
        return ClusterStage(self, values(self._pace, uploads, steps) | contracts)

    async def until(self, *jobs: Key, timeout_seconds: float = LONGEST_SECONDS) -> None:
        """Those jobs have succeeded. Raises StoryFailed as soon as one of the story's fails."""

        def over() -> bool:
            return bool(self.mirror.failure(JOBS)) or all(map(self.mirror.succeeded, jobs))

        names = ", ".join(map(str, jobs))
        await asyncio.to_thread(self._recorder.wait, over, timeout_seconds, f"the end of {names}")
        if failure := self.mirror.failure(JOBS):
            raise StoryFailed(failure)

    async def rows(self) -> list[Generation]:
        """One a generation. Raises UserError if the loss doesn't fall."""
        report = json.loads(await self.result(cast.ELENA_EVALUATES, "report.json"))
        assets = [self.asset(key) for key in cast.GENERATIONS]
        supplies = {
            asset.status.datatoken: (
                await read_datatoken(self.services.rpc_url, asset.status.datatoken)
            ).supply_wei
            for asset in assets
        }
        rows = generations(assets, self.mirror.all(ComputeJob), losses_of(report), supplies)
        check_that_loss_falls(rows)
        return rows

    async def lineage(self, did: str) -> Ancestor:
        """From chain and store alone, as anyone may ask."""
        reader = open_reader(self.services.rpc_url, stage.chain_spec(self.services))
        publishers = frozenset({account_of(bodies.SIGNER_KEY).address})
        store = self.services.results(stage.STORE_URL)
        try:
            return await Tracer(reader, publishers, store).trace(did)
        finally:
            await reader.close()

    async def epilogue(self, bobs: Minted, shop: Shop) -> Epilogue:
        """The ending, as `make demo` has it."""
        rows, plot = await self.rows(), self._folder / "losses.png"
        losses = self._folder / "losses.json"
        losses.write_bytes(msgspec.json.encode({row.owner: row.loss for row in rows}))
        arguments = (str(losses), "--out", str(plot))
        await make(self._folder / "plot.log", "examples.story_data.plot", *arguments)
        return Epilogue(
            rows=tuple(rows),
            texts=texts_of(await self.result(cast.DEREK_GENERATES, "generations.jsonl")),
            bobs=bobs,
            earned=tuple([await shop.earned(person) for person in (cast.ALICE, cast.BOB)]),
            lineage=await self.lineage(rows[-1].did),
            plot=plot,
        )

    async def until_published(self, key: Key, timeout_seconds: float = LONGEST_SECONDS) -> None:
        """An asset is Ready. Raises StoryFailed as soon as one of the story's jobs fails."""

        def over() -> bool:
            return bool(self.mirror.failure(JOBS)) or self._is_ready(key)

        await asyncio.to_thread(self._recorder.wait, over, timeout_seconds, f"{key} to be Ready")
        if failure := self.mirror.failure(JOBS):
            raise StoryFailed(failure)

    def _is_ready(self, key: Key) -> bool:
        found = self.mirror.find(ModelAsset, key)
        return found is not None and is_true(found.status.conditions, "Ready")

    async def result(self, job: Key, name: str) -> bytes:
        """A result file of a finished job."""
        found = self.mirror.find(ComputeJob, job)
        assert found is not None and found.status.results is not None, f"{job} has no results"
        store = self.services.results(stage.STORE_URL)
        return await store.get(f"{found.status.results.prefix}/{name}")

    def asset(self, key: Key) -> ModelAsset:
        """A published one."""
        found = self.mirror.find(ModelAsset, key)
        assert found is not None and found.status.did, f"{key} is not published"
        return found


class ClusterStage:
    """See posthuman.cli.story.acts.Stage."""

    def __init__(self, telling: Telling, given: Mapping[str, str]) -> None:
        self._telling = telling
        self.given = given

    async def apply(self, file: str, orders: Mapping[str, str]) -> None:
        """`kubectl apply`."""
        await asyncio.to_thread(stage.apply_manifest, file, {**self.given, **orders})

    async def published(self, asset: Key) -> None:
        """Wait for it."""
        await self._telling.until_published(asset)
