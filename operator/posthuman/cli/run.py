"""`posthuman run`: a manifest on this machine, with the checks and the steps of a cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.parse import dump
from posthuman.cli.admitted import admitted
from posthuman.cli.ending import FAILED, REFUSED, SUCCEEDED, said
from posthuman.cli.logfile import log_to
from posthuman.cli.results import facts_of
from posthuman.cli.watch import Watch
from posthuman.errors import TransientError, UserError
from posthuman.local.documents import Document, read_documents
from posthuman.local.layout import layout_of
from posthuman.local.lock import locked
from posthuman.local.objects import Objects
from posthuman.local.outcome import Ending, Outcome, outcome_of_asset, outcome_of_job
from posthuman.local.session import Place, algorithms_folder, played_environments, turning
from posthuman.local.world import World

READY_SECONDS = 30.0  # for an environment's store and chain
CLEAR_UP_SECONDS = 20.0
Wanted = ComputeJob | ModelAsset
EXIT_CODES = {Ending.SUCCEEDED: SUCCEEDED, Ending.FAILED: FAILED, Ending.REFUSED: REFUSED}


def run_manifest(
    manifest: Path,
    environment: Path | None,
    workdir: Path,
    as_json: bool,
    algorithms: Path | None = None,
) -> int:
    """The exit code: 0 only if everything in the manifest succeeded. Raises UserError.

    `algorithms`: a folder of algorithms, instead of the built-in ones.
    """
    documents = _environment(environment) if environment else []
    objects = admitted([*documents, *read_documents(manifest)])
    if objects is None:
        return REFUSED
    wanted = _wanted(objects)
    if not wanted:
        raise UserError(f"{manifest} asks for nothing: it holds no ComputeJob and no ModelAsset")
    place = Place(
        workdir=workdir.absolute(),
        file_root=manifest.absolute().parent,
        algorithms=algorithms_folder(algorithms),
    )
    with ExitStack() as stack:
        stack.enter_context(locked(place.workdir))
        stack.enter_context(log_to(place.workdir / "posthuman.log"))
        if environment is None:
            played = stack.enter_context(played_environments(objects, place, said.print))
            _announce(played)
        outcomes = asyncio.run(to_the_end(objects, place, wanted, as_json))
    _report([_now(objects, found) for found in wanted], outcomes, place, as_json)
    return max(EXIT_CODES[outcome.ending] for outcome in outcomes)


def _environment(file: Path) -> list[Document]:
    """Raises UserError for a file without one: then nothing would say where to run."""
    documents = read_documents(file)
    if not any(found.kind == ComputeEnvironment.__name__ for found in documents):
        raise UserError(
            f"{file} holds no ComputeEnvironment: add one, or leave out --environment, and this "
            "machine plays the one that the job names"
        )
    return documents


def _wanted(objects: Objects) -> list[Wanted]:
    return [*objects.all(ModelAsset), *objects.all(ComputeJob)]


def _announce(played: set[str]) -> None:
    for name in sorted(played):
        said.print(
            f'This machine plays environment "{name}". Nothing is sealed or limited here: an '
            "algorithm can reach the network and your files.",
            markup=False,
        )


async def to_the_end(
    objects: Objects, place: Place, wanted: Sequence[Wanted], as_json: bool
) -> list[Outcome]:
    """Reconcile until each has ended, showing how far they are. Raises TransientError."""
    watch = Watch(objects, said, ends_are_told=as_json)  # a text says it itself
    async with turning(objects, place, watch.tell) as world, watch.shown():
        await _environments_ready(objects, world)
        await world.until(lambda: all(_outcome(objects, found) for found in wanted))
        await _cleared_up(objects, world)
    outcomes = [_outcome(objects, found) for found in wanted]
    return [outcome for outcome in outcomes if outcome]


async def _environments_ready(objects: Objects, world: World) -> None:
    """Raises TransientError with the reason of one that isn't within READY_SECONDS."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await world.until(lambda: not _unready(objects))
    except TimeoutError:
        raise TransientError("; ".join(_unready(objects))) from None


def _unready(objects: Objects) -> list[str]:
    conditions = {
        found.metadata.name: find_condition(found.status.conditions, "Ready")
        for found in objects.all(ComputeEnvironment)
    }
    return [
        f'environment "{name}" is not ready: {ready.message if ready else "not looked at yet"}'
        for name, ready in conditions.items()
        if ready is None or ready.status != "True"
    ]


async def _cleared_up(objects: Objects, world: World) -> None:
    """Finished jobs have dropped their workspaces; what is left, the next run drops."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLEAR_UP_SECONDS):
            await world.until(
                lambda: (
                    not any(
                        job.status.phase in FINISHED and job.metadata.finalizers
                        for job in objects.all(ComputeJob)
                    )
                )
            )


def _outcome(objects: Objects, wanted: Wanted) -> Outcome | None:
    current = _now(objects, wanted)
    if isinstance(current, ComputeJob):
        return outcome_of_job(objects, current)
    return outcome_of_asset(current)


def _now(objects: Objects, wanted: Wanted) -> Wanted:
    """As it is now; as it was, should its time to live be over already."""
    key = wanted.metadata.key
    if isinstance(wanted, ComputeJob):
        return objects.find(ComputeJob, key) or wanted
    return objects.find(ModelAsset, key) or wanted


def _report(
    final: Sequence[Wanted], outcomes: Sequence[Outcome], place: Place, as_json: bool
) -> None:
    """The result on stdout; in a text, what to look at next."""
    if as_json:
        bodies = [dump(found) for found in final]
        print(json.dumps(bodies[0] if len(bodies) == 1 else _list_of(bodies), indent=2))
        return
    result = Console(highlight=False)
    for found, outcome in zip(final, outcomes, strict=True):
        result.print(_line(found, outcome, place), soft_wrap=True)


def _list_of(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": bodies}


def _line(found: Wanted, outcome: Outcome, place: Place) -> Text:
    good = outcome.ending is Ending.SUCCEEDED
    line = Text(f"{found.metadata.key}: ")
    line.append(outcome.ending.value, style="green" if good else "red")
    line.append(f": {outcome.message}" if outcome.message else "")
    for fact in _facts(found, place):
        line.append(f"\n  {fact}")
    return line


def _facts(found: Wanted, place: Place) -> list[str]:
    if isinstance(found, ModelAsset):
        return [found.status.did] if found.status.did else []
    status, facts = found.status, facts_of(found.status)
    if status.asset and status.asset.did:
        facts.append(f"asset: {status.asset.did}")
    if status.phase is not Phase.SUCCEEDED and status.work_namespace:
        facts.append(f"logs: {layout_of(place.workdir, found.metadata.key).root / 'steps'}")
    return facts
