"""`posthuman jobs`, `logs`, `results` and `stop`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobkit.manifest import RECEIPT_NAME
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.cli.watch import STYLES
from posthuman.client import Gateway
from posthuman.client.downloads import Downloaded
from posthuman.gateway.people.job_view import JobView


def list_jobs(gateway: Gateway, namespace: str, phase: str, as_json: bool) -> int:
    """Newest first."""
    found = list(gateway.jobs(namespace=namespace, phase=phase))
    if as_json:
        print(msgspec.json.encode(found).decode())
        return SUCCEEDED
    table = Table(box=None, pad_edge=False)
    for title in ("id", "phase", "progress", "what happens"):
        table.add_column(title, overflow="fold")
    for job in found:
        style = STYLES.get(job.phase, "cyan")
        table.add_row(job.id, Text(job.phase, style=style), _progress(job), Text(job.message))
    Console(highlight=False).print(table)
    return SUCCEEDED


def show_log(gateway: Gateway, job_id: str, follow: bool) -> int:
    """Its bytes, as they are."""
    for piece in gateway.logs(job_id, follow):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return SUCCEEDED


def show_results(gateway: Gateway, job_id: str, folder: Path | None, as_json: bool) -> int:
    """The list; or the files, and the receipt beside them, into a folder."""
    if folder is None:
        files = gateway.results(job_id)
        if as_json:
            print(msgspec.json.encode(files).decode())
        else:
            for file in files:
                print(f"{file.size:>14,}  {file.path}")
        return SUCCEEDED
    paths = gateway.download(job_id, folder, _Told().step)
    if gateway.job(job_id).receipt:
        paths.append(folder / RECEIPT_NAME)
        paths[-1].write_bytes(gateway.receipt(job_id))
    print(msgspec.json.encode([str(path) for path in paths]).decode() if as_json else folder)
    return SUCCEEDED


def stop_job(gateway: Gateway, job_id: str) -> int:
    """What it wrote is kept."""
    job = gateway.stop(job_id)
    said.print(f"{job.id}: {job.phase}, asked to stop", markup=False)
    return SUCCEEDED


class _Told:
    """A line a file, when it is complete."""

    def step(self, step: Downloaded) -> None:
        if step.bytes == step.size:
            said.print(f"{step.size:>14,}  {step.path}", markup=False, soft_wrap=True)


def _progress(job: JobView) -> str:
    if job.progress is None:
        return ""
    loss = job.progress.metrics.get("loss")
    return f"{job.progress.percent:.0f} %" + ("" if loss is None else f", loss {loss:.4g}")
