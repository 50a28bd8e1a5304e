"""`jobkit export`: upload what the algorithm left, then manifest.json: it means "complete"."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from obstore.store import ObjectStore

from jobkit.errors import ObjectMissing, UserFault
from jobkit.manifest import (
    CUSTODY_PREFIX,
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    ModelFacts,
    decode_manifest,
    digest_of,
    encode_manifest,
)
from jobkit.models import inspect_model
from jobkit.objects import open_store, put_bytes, read_small
from jobkit.outputs import LOGS_PREFIX, Found, Verdict, judge, list_folder
from jobkit.plan import ExportPlan
from jobkit.report import Report
from jobkit.staged import read_staged
from jobkit.uploads import open_beneath, send_files

REPORT_NAME = "report.json"  # an algorithm's own: {"metrics": {...}, "versions": {...}}
MAX_REPORT_FILE_BYTES = 1024 * 1024
MAX_EXACT_INTEGER = 2**53 - 1  # beyond it RFC 8785 has no number
MAX_FIGURES = 256  # metrics, or versions; published metrics are paid for in gas
MAX_FIGURE_CHARS = 200


async def export(plan: ExportPlan) -> Report:
    """Upload, manifest last; the same again after a crash gives the same bytes. Raises Fault."""
    store = open_store(plan.store, os.environ)
    outputs = list_folder(Path(plan.outputs_dir))
    logs = list_folder(Path(plan.logs_dir), LOGS_PREFIX)
    for line in (*outputs.skipped, *logs.skipped):
        print(f"export: {line}", flush=True)
    verdict = judge(plan, outputs.files, logs.files)
    files = await send_files(store, plan.destination, verdict.files)
    raw = await _put_manifest(store, plan, _manifest(plan, verdict, files))
    return Report(
        reason=verdict.reason or "Completed",
        message=verdict.message or f"{len(files)} files exported to {plan.destination}",
        user_error=bool(verdict.reason),
        details={
            "manifestDigest": digest_of(raw),
            "files": len(files),
            "bytes": sum(file.size for file in files),
            "outcome": verdict.outcome,
        },
    )


async def _put_manifest(store: ObjectStore, plan: ExportPlan, manifest: Manifest) -> bytes:
    """Write it, dated as an earlier try of this export dated it."""
    key = f"{plan.destination}/{MANIFEST_NAME}"
    created_at = await _earlier_date(store, key) or _now()
    raw = encode_manifest(msgspec.structs.replace(manifest, created_at=created_at))
    await put_bytes(store, key, raw)
    return raw


async def _earlier_date(store: ObjectStore, key: str) -> str:
    try:
        return decode_manifest(await read_small(store, key)).created_at
    except (ObjectMissing, msgspec.MsgspecError):
        return ""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _manifest(plan: ExportPlan, verdict: Verdict, files: tuple[ManifestFile, ...]) -> Manifest:
    said = _algorithm_report(verdict.files)
    algorithm = _algorithm(plan)
    return Manifest(
        files=files,
        outcome=verdict.outcome,
        job=plan.job,
        algorithm=algorithm,
        inputs=_inputs(plan),
        parameters=canonical(plan.parameters),
        metrics=_metrics(said),
        versions=_versions(said),
        gpu_seconds=plan.gpu_seconds,
        model=_model_facts(verdict.files),
    )


def _algorithm(plan: ExportPlan) -> dict[str, str]:
    """Which code ran; the digest of what came as a file is known since staging."""
    facts = {k: v for k, v in msgspec.to_builtins(plan.algorithm).items() if v}
    code = read_staged(Path(plan.staged_file)).algorithm
    return facts | {"digest": code.digest} if code else facts


def _inputs(plan: ExportPlan) -> tuple[dict[str, str], ...]:
    """What staging brought, by name, kind, digest and, of a published asset, its DID."""
    entries = []
    for staged in read_staged(Path(plan.staged_file)).inputs:
        entry = {
            "name": staged.name,
            "kind": staged.kind,
            "sha256": staged.sha256,
            "manifestDigest": staged.manifest_digest,
            "did": plan.input_dids.get(staged.name, ""),
        }
        entries.append({key: value for key, value in entry.items() if value})
    return tuple(entries)


def _algorithm_report(files: tuple[Found, ...]) -> dict[str, Any]:
    """The algorithm's report.json; one that can't be read is said, and counts as empty."""
    found = next((file for file in files if file.path == REPORT_NAME), None)
    if found is None:
        return {}
    if found.size > MAX_REPORT_FILE_BYTES:
        print(f"export: {REPORT_NAME} has more than {MAX_REPORT_FILE_BYTES} bytes: not read")
        return {}
    with os.fdopen(open_beneath(found.root, found.relative), "rb") as file:
        raw = file.read(MAX_REPORT_FILE_BYTES)
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        print(f"export: {REPORT_NAME} is no JSON object, so it gives no metrics: {error}")
        return {}


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    """Plain figures, as they go into the manifest and with an asset on chain."""
    said = _object_in(report, "metrics")
    kept = {name: canonical(value) for name, value in said.items() if type(value) in (int, float)}
    return {name: value for name, value in kept.items() if not isinstance(value, str)}


def _versions(report: dict[str, Any]) -> dict[str, str]:
    said = _object_in(report, "versions")
    kept = {name: value for name, value in said.items() if isinstance(value, str)}
    return {name: value[:MAX_FIGURE_CHARS] for name, value in kept.items()}


def _object_in(report: dict[str, Any], name: str) -> dict[str, Any]:
    """The first entries of an object; what has no short name, or comes after them, is left out."""
    value = report.get(name)
    named = value.items() if isinstance(value, dict) else ()
    kept = {key: inner for key, inner in named if len(key) <= MAX_FIGURE_CHARS}
    return dict(list(kept.items())[:MAX_FIGURES])


def canonical(value: Any) -> Any:
    """JSON that RFC 8785 can write: an integer beyond 2^53 becomes its decimal string."""
    if isinstance(value, dict):
        return {str(key): canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(inner) for inner in value]
    if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        return str(value)
    return value


def _model_facts(files: tuple[Found, ...]) -> ModelFacts | None:
    """Of what lies below model/; None when it is no model that could be loaded again."""
    weights = [file for file in files if file.path.startswith(CUSTODY_PREFIX)]
    if not weights:
        return None
    names = [file.path.removeprefix(CUSTODY_PREFIX) for file in weights]
    try:
        return inspect_model(weights[0].root / CUSTODY_PREFIX, names)
    except UserFault as fault:
        print(f"export: {CUSTODY_PREFIX} can't become an asset: {fault}", flush=True)
        return None
