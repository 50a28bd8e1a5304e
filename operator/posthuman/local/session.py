"""One run on this machine: environments that it plays, and the world turning."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.bootstrap import SystemClock, build, installed_settings
from posthuman.environments.catalogue import FACTS_FILE
from posthuman.errors import UserError
from posthuman.local.chain import EmbeddedChain, embedded_chain
from posthuman.local.cluster import LocalCluster
from posthuman.local.embedded import embedded_environment
from posthuman.local.kept import keep_assets, restore_assets
from posthuman.local.objects import Objects
from posthuman.local.programs import Machine
from posthuman.local.world import World
from posthuman.ports import JobEvent

ALGORITHMS_ENV = "POSTHUMAN_ALGORITHMS"  # a folder of algorithms, instead of the built-in ones
BUILTINS = Path(__file__).resolve().parents[3] / "algorithms"
PROGRESS_SECONDS = 1.0  # a status write costs nothing here
Say = Callable[[str], None]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run happens: everything it leaves lies in `workdir`."""

    workdir: Path
    file_root: Path  # `file:` URIs may point below it: the manifest's folder
    algorithms: Path  # what `builtin` names

    @property
    def chain_folder(self) -> Path:
        """Of the embedded chain."""
        return self.workdir / "chain"


@contextmanager
def played_environments(objects: Objects, place: Place, say: Say) -> Iterator[set[str]]:
    """Have this machine play every environment that is named but not there; yields their names.

    The chain runs while the block lasts, if it is needed; what is published is kept for later runs.
    """
    restore_assets(objects, place.workdir)
    names = _named_environments(objects) - _present_environments(objects)
    with _chain_if(bool(names) and _needs_chain(objects), place, say) as chain:
        for name in sorted(names):
            spec = chain.spec if chain else None
            play(objects, embedded_environment(name, place.workdir, spec), chain)
        try:
            yield names
        finally:
            keep_assets(objects, place.workdir)


def play(objects: Objects, environment: ComputeEnvironment, chain: EmbeddedChain | None) -> None:
    """Create the environment, and the Secrets that its chain needs."""
    objects.create(environment)
    secrets = chain.secrets(environment.spec.work_namespace) if chain else {}
    for key, content in secrets.items():
        objects.put_secret(key, content)


@asynccontextmanager
async def turning(
    objects: Objects, place: Place, tell: Callable[[JobEvent], None] = lambda _event: None
) -> AsyncIterator[World]:
    """The world of these objects, while the block lasts; no process of it outlives the block."""
    cluster = LocalCluster(objects, place.workdir, Machine(algorithms=place.algorithms), tell)
    settings = installed_settings(
        place.algorithms, file_root=str(place.file_root), progress_interval_seconds=PROGRESS_SECONDS
    )
    async with AsyncExitStack() as opened:
        at_end = opened.push_async_callback
        world = World(objects, cluster, build(cluster, SystemClock(), settings, at_end=at_end))
        async with world.running():
            yield world


def algorithms_folder(wanted: Path | None = None) -> Path:
    """The wanted one, else $POSTHUMAN_ALGORITHMS, else the installed algorithms. Raises UserError
    where there is none."""
    folder = Path(wanted or os.environ.get(ALGORITHMS_ENV) or BUILTINS).absolute()
    if not any(folder.glob(f"*/{FACTS_FILE}")):
        raise UserError(f"{folder} holds no algorithms: name the folder that theirs lie in")
    return folder


@contextmanager
def _chain_if(needed: bool, place: Place, say: Say) -> Iterator[EmbeddedChain | None]:
    if not needed:
        yield None
        return
    say("starting the local chain, with all of Ocean's contracts (a few seconds)")
    with embedded_chain(place.chain_folder) as chain:
        yield chain


def _needs_chain(objects: Objects) -> bool:
    publishes = any(job.spec.publish for job in objects.all(ComputeJob))
    return publishes or bool(objects.all(ModelAsset))


def _present_environments(objects: Objects) -> set[str]:
    return {found.metadata.name for found in objects.all(ComputeEnvironment)}


def _named_environments(objects: Objects) -> set[str]:
    of_jobs = {job.spec.environment_ref.name for job in objects.all(ComputeJob)}
    return of_jobs | {asset.spec.environment_ref.name for asset in objects.all(ModelAsset)}
