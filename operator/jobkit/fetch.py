"""`jobkit fetch`: bring every input to the workspace, verified, and say what was brought."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from jobkit.errors import WorldFault
from jobkit.http_source import PATIENT, HttpSource, Retry, SourceChanged, open_session
from jobkit.manifest import ModelFacts
from jobkit.meter import Meter, Tally
from jobkit.models import inspect_model, is_in_pickles, refuse_pickles
from jobkit.objects import open_store
from jobkit.origins import Origins
from jobkit.own_code import accept_code, told_of_algorithm, write_code
from jobkit.paths import safe_input_name, safe_relative
from jobkit.plan import StagePlan
from jobkit.preflight import estimate
from jobkit.provider import BoughtFile, open_provider_session
from jobkit.report import Report
from jobkit.sources import Resolved, Wanted, Web
from jobkit.staged import Staged, StagedCode, StagedInput, details_of, write_staged
from jobkit.tasks import together
from jobkit.transfer import Received, disk_errors, receive, sha256_of
from jobkit.uri_guard import Lookup, UriGuard, system_lookup

DID_PREFIX = "did:op:"
PARAMETERS_NAME = "algoCustomData.json"
FILES_AT_ONCE = 3  # each holds up to PARTS_AHEAD parts in memory
WHOLE_FILE_ATTEMPTS = 3  # for servers without ranges, where a fault means to start over


async def fetch(plan: StagePlan, retry: Retry = PATIENT, lookup: Lookup = system_lookup) -> Report:
    """Bring the inputs; the report's details are staged.json. Raises Fault."""
    store = open_store(plan.store, os.environ)
    guard = UriGuard(plan.uri_policy, lookup)
    async with open_session(guard) as session, open_provider_session() as to_provider:
        web = Web(session=session, guard=guard, policy=plan.uri_policy, retry=retry)
        origins = Origins(plan, store, web, to_provider)
        for wanted in plan.inputs:
            safe_input_name(wanted.name)
            safe_input_name(wanted.folder or wanted.name)
        resolved = await together(origins.of_input(wanted) for wanted in plan.inputs)
        _check_pickles(plan, resolved)
        received = await _bring(resolved, Path(plan.inputs_dir))
        code = await _bring_code(plan, origins)
    staged = msgspec.structs.replace(_record(plan, resolved, received), algorithm=code)
    _write_json(Path(plan.inputs_dir) / PARAMETERS_NAME, plan.parameters)
    for did, ddo in plan.ddos.items():
        _write_json(Path(plan.ddos_dir) / safe_relative(did.removeprefix(DID_PREFIX)), ddo)
    write_staged(Path(plan.staged_file), staged)
    return _report(staged, estimate(plan, staged))


async def _bring_code(plan: StagePlan, origins: Origins) -> StagedCode | None:
    """The algorithm, where it comes as a file."""
    if plan.algorithm is None:
        return None
    folder = Path(plan.transformations_dir)
    with told_of_algorithm():
        found = await origins.of_algorithm(plan.algorithm)
        if isinstance(found, bytes):
            return accept_code(plan.algorithm, folder, [write_code(folder, found)])
        meter = Meter("fetch", None)
        files = [await _bring_file(folder / file.name, file, meter) for file in found.files]
        return accept_code(plan.algorithm, folder, files)


def _report(staged: Staged, told: str) -> Report:
    count = sum(entry.files for entry in staged.inputs)
    details = details_of(staged) | ({"estimate": told} if told else {})
    return Report(reason="Completed", message=f"{count} files staged", details=details)


def _check_pickles(plan: StagePlan, resolved: list[Resolved]) -> None:
    """Before anything is brought. Raises UserFault (PickleRefused)."""
    models = [entry for entry in resolved if entry.input.kind == "model"]
    if not plan.allow_pickles:
        refuse_pickles(file.name for entry in models for file in entry.files)


async def _bring(resolved: list[Resolved], inputs: Path) -> list[list[Received]]:
    """Every file of every input, FILES_AT_ONCE at a time."""
    sizes = [file.size for entry in resolved for file in entry.files]
    known = [size for size in sizes if size is not None]
    meter = Meter("fetch", sum(known) if len(known) == len(sizes) else None)
    slots = asyncio.Semaphore(FILES_AT_ONCE)

    async def bring(folder: Path, file: Wanted) -> Received:
        async with slots:
            return await _bring_file(folder / file.name, file, meter)

    async def bring_all(entry: Resolved) -> list[Received]:
        folder = inputs / (entry.input.folder or entry.input.name)
        return await together(bring(folder, file) for file in entry.files)

    received = await together(bring_all(entry) for entry in resolved)
    print(meter.line(), flush=True)
    return received


async def _bring_file(target: Path, file: Wanted, meter: Meter) -> Received:
    """One file; parts that don't fit together are dropped for one whole answer."""
    if present := await asyncio.to_thread(_already_there, target, file):
        meter.add(present.size)
        return present
    if not isinstance(file.source, HttpSource | BoughtFile):
        return await receive(file.chunks(), target, file.sha256, meter.add)
    return await _bring_from_web(target, file, file.source, meter)


async def _bring_from_web(
    target: Path, file: Wanted, source: HttpSource | BoughtFile, meter: Meter
) -> Received:
    """By ranges; as a whole from servers without them, or whose parts are of several versions."""
    attempts = 0
    while True:
        tally = Tally(meter)
        try:
            return await receive(file.chunks(), target, file.sha256, tally.add)
        except WorldFault as error:
            attempts += 1
            by_ranges = source.has_ranges and not isinstance(error, SourceChanged)
            if by_ranges or attempts == WHOLE_FILE_ATTEMPTS:
                raise
            print(f"fetch: {target.name} starts over: {error}", flush=True)
            tally.take_back()
            source.has_ranges = False


def _already_there(target: Path, file: Wanted) -> Received | None:
    """What an earlier try of this step brought, if it is what is wanted."""
    with disk_errors(target):
        if not file.sha256 or not target.is_file() or target.stat().st_size != file.size:
            return None
        same = sha256_of(target) == file.sha256.lower()
        return Received(sha256=file.sha256.lower(), size=file.size) if same else None


def _record(plan: StagePlan, resolved: list[Resolved], received: list[list[Received]]) -> Staged:
    inputs, entries = Path(plan.inputs_dir), []
    for entry, files in zip(resolved, received, strict=True):
        folder = inputs / (entry.input.folder or entry.input.name)
        entries.append(
            StagedInput(
                name=entry.input.name,
                kind=entry.input.kind,
                path=str(folder),
                files=len(files),
                bytes=sum(file.size for file in files),
                sha256="" if entry.manifest_digest else _sha256_of_all(files),
                manifest_digest=entry.manifest_digest,
                model=_model_facts(plan, entry, folder),
            )
        )
    return Staged(inputs=tuple(entries))


def _model_facts(plan: StagePlan, entry: Resolved, folder: Path) -> ModelFacts | None:
    """Of a model in safetensors. One in pickles alone tells nothing without being loaded."""
    if entry.input.kind != "model":
        return None
    names = [file.name for file in entry.files]
    if plan.allow_pickles and is_in_pickles(names):
        return None
    return inspect_model(folder, names, plan.allow_pickles)


def _sha256_of_all(files: list[Received]) -> str:
    if len(files) == 1:
        return files[0].sha256
    return hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()


def _write_json(target: Path, content: dict[str, Any]) -> None:
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(msgspec.json.encode(content))
