"""`posthuman demo`: the whole story on this machine, with a real chain, store and model."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from posthuman.api.asset import ModelAsset
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.cli.chain_place import OpenChain
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.cli.lineage import trace
from posthuman.cli.logfile import log_to
from posthuman.cli.story import cast
from posthuman.cli.story.acts import play
from posthuman.cli.story.epilogue import (
    Epilogue,
    ask_again,
    shown,
    texts_of,
    where_on_a_laptop,
)
from posthuman.cli.story.estimate import expected_seconds, seconds_left
from posthuman.cli.story.facts import (
    Generation,
    check_that_loss_falls,
    generations,
    losses_of,
)
from posthuman.cli.story.prepare import Data, make, prepare
from posthuman.cli.story.script import Pace, Uploads, chain_values, values
from posthuman.cli.story.shop import Minted, Shop
from posthuman.cli.story.stage import apply_manifest, bring, environment_here
from posthuman.cli.watch import Watch, duration
from posthuman.errors import PosthumanError
from posthuman.ledger.account import read_datatoken
from posthuman.local.chain import EmbeddedChain, embedded_chain
from posthuman.local.kept import keep_assets
from posthuman.local.lock import locked
from posthuman.local.objects import Objects
from posthuman.local.outcome import Ending, Outcome, outcome_of_asset, outcome_of_job
from posthuman.local.session import Place, algorithms_folder, turning
from posthuman.local.session import play as play_environment
from posthuman.local.world import World
from posthuman.store.results import open_results

LEFTOVERS = ("store", "chain", "jobs", "assets", "data")


class StoryFailed(PosthumanError):
    """The story did not come to its end."""

    reason = "StoryFailed"


def tell_story(workdir: Path, pace: Pace, steps: int) -> int:
    """From nothing to three generations; the working folder starts clean. Raises PosthumanError."""
    began = time.monotonic()
    with locked(workdir), log_to(workdir / "posthuman.log"):
        for name in LEFTOVERS:
            shutil.rmtree(workdir / name, ignore_errors=True)
        (workdir / "data").mkdir()
        said.print(f"making {pace.model_name} and the text (40 s the first time, then 5 s)")
        data = asyncio.run(prepare(pace, workdir / "data"))
        said.print("starting a local chain and deploying all of Ocean's contracts (5 s)")
        with embedded_chain(workdir / "chain") as chain:
            epilogue = asyncio.run(Telling(workdir, pace, steps, chain).tell(data))
    result = Console(highlight=False)
    result.print(shown(epilogue, where_on_a_laptop(epilogue, workdir)))
    result.print(ask_again(epilogue, workdir), soft_wrap=True, markup=False)
    said.print(f"told in {duration(time.monotonic() - began)}")
    return SUCCEEDED


class Telling:
    """One telling: its objects, and how far they are."""

    def __init__(self, workdir: Path, pace: Pace, steps: int, chain: EmbeddedChain) -> None:
        self._workdir = workdir
        self._pace = pace
        self._steps = steps
        self._chain = chain
        self._objects = Objects()
        self._environment = environment_here(workdir, chain)
        self._expected = expected_seconds(pace, steps)
        self._began = time.monotonic()
        open_chain = OpenChain(url=chain.url, spec=chain.spec)
        self._shop = Shop(
            open_chain, self._asset, partial(said.print, markup=False, soft_wrap=True)
        )

    async def tell(self, data: Data) -> Epilogue:
        """Raises StoryFailed with the sentence of what went wrong."""
        play_environment(self._objects, self._environment, self._chain)
        said.print("everybody brings what is theirs by `posthuman upload` (5 s)")
        uploads = await bring(data, self._environment)
        self._began = time.monotonic()
        place = Place(
            workdir=self._workdir, file_root=self._workdir, algorithms=algorithms_folder()
        )
        watch = Watch(self._objects, said, self._footer)
        async with turning(self._objects, place, watch.tell) as world, watch.shown():
            bobs = await play(_Laptop(self, world, uploads), self._shop)
            await world.until(self._is_over)
        self.refuse_failures()
        keep_assets(self._objects, self._workdir)
        return await self._epilogue(bobs)

    def apply(self, file: str, uploads: Uploads, orders: Mapping[str, str]) -> None:
        """One of the story's manifests."""
        contracts = self._chain.spec.contracts
        assert contracts is not None, "an embedded chain has its contracts' addresses"
        given = values(self._pace, uploads, self._steps) | dict(orders)
        given |= chain_values(self._chain.spec.chain_id, contracts)
        apply_manifest(self._objects, file, given)

    async def _epilogue(self, bobs: Minted) -> Epilogue:
        rows = await self._rows()
        check_that_loss_falls(rows)
        plot = self._workdir / "losses.png"
        await self._plot(rows, plot)
        return Epilogue(
            rows=tuple(rows),
            texts=texts_of(await self._result(cast.DEREK_GENERATES, "generations.jsonl")),
            bobs=bobs,
            earned=tuple([await self._shop.earned(person) for person in (cast.ALICE, cast.BOB)]),
            lineage=await trace(rows[-1].did, self._chain, self._workdir),
            plot=plot,
        )

    async def _plot(self, rows: Sequence[Generation], plot: Path) -> None:
        folder = self._workdir / "data"
        losses = folder / "losses.json"
        losses.write_bytes(msgspec.json.encode({row.owner: row.loss for row in rows}))
        arguments = [str(losses), "--out", str(plot)]
        for key in (cast.BOB_TRAINS, cast.CHARLIE_TRAINS):
            curve = folder / f"{key.namespace}.csv"
            curve.write_bytes(await self._result(key, "loss.csv"))
            arguments += ["--curve", f"{key.namespace.capitalize()}={curve}"]
        await make(folder / "plot.log", "examples.story_data.plot", *arguments)

    async def _rows(self) -> list[Generation]:
        report = json.loads(await self._result(cast.ELENA_EVALUATES, "report.json"))
        assets = [self._asset(key) for key in cast.GENERATIONS]
        minted = {
            asset.status.datatoken: (
                await read_datatoken(self._chain.url, asset.status.datatoken)
            ).supply_wei
            for asset in assets
        }
        return generations(assets, self._objects.all(ComputeJob), losses_of(report), minted)

    async def _result(self, job: Key, name: str) -> bytes:
        """A result file of a finished job."""
        found = self._objects.find(ComputeJob, job)
        assert found is not None, "the story's jobs stay"
        assert found.status.results is not None, "a job that succeeded has results"
        store = open_results(self._environment.spec.store, {})
        return await store.get(f"{found.status.results.prefix}/{name}")

    def _asset(self, key: Key) -> ModelAsset:
        found = self._objects.find(ModelAsset, key)
        assert found is not None, "a published asset stays"
        return found

    def has_ended(self, asset: Key) -> bool:
        """Whether an asset is published; or anything went wrong, so that it may never be."""
        outcomes = self._outcomes()
        failed = any(found and found.ending is not Ending.SUCCEEDED for found in outcomes.values())
        known = self._objects.find(ModelAsset, asset)
        return failed or (known is not None and outcome_of_asset(known) is not None)

    def _is_over(self) -> bool:
        return all(outcome is not None for outcome in self._outcomes().values())

    def _outcomes(self) -> dict[Key, Outcome | None]:
        jobs, asset = self._objects.all(ComputeJob), self._asset(cast.BASE_MODEL)
        outcomes = {job.metadata.key: outcome_of_job(self._objects, job) for job in jobs}
        return {cast.BASE_MODEL: outcome_of_asset(asset), **outcomes}

    def refuse_failures(self) -> None:
        """Raises StoryFailed for the first that failed; the others only waited for it."""
        for key, outcome in self._outcomes().items():
            if outcome is not None and outcome.ending is not Ending.SUCCEEDED:
                raise StoryFailed(
                    f"{key}: {outcome.message} (logs in {self._workdir / 'jobs'}, "
                    f"{self._workdir / 'posthuman.log'})"
                )

    def _footer(self) -> Text:
        elapsed = time.monotonic() - self._began
        left = seconds_left(self._expected, self._objects.all(ComputeJob), elapsed)
        return Text(f"the whole story: {duration(elapsed)} so far, about {duration(left)} left")


class _Laptop:
    """See acts.Stage."""

    def __init__(self, telling: Telling, world: World, uploads: Uploads) -> None:
        self._telling = telling
        self._world = world
        self._uploads = uploads

    async def apply(self, file: str, orders: Mapping[str, str]) -> None:
        self._telling.apply(file, self._uploads, orders)

    async def published(self, asset: Key) -> None:
        await self._world.until(lambda: self._telling.has_ended(asset))
        self._telling.refuse_failures()
