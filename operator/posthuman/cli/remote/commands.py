"""The commands for jobs at a gateway, with their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posthuman.api.job import Phase
from posthuman.cli.ending import end_with
from posthuman.cli.options import Output, OutputOption, Panel
from posthuman.cli.remote.place import GatewayUrl, KeyFile, Place, TokenFile

JobId = Annotated[str, typer.Argument(help="As `posthuman jobs` shows it: NAMESPACE.NAME.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Of yours; for tokens.")]


def register(app: typer.Typer) -> None:
    """Add them to the program."""
    for command in (submit, jobs, logs, results, stop):
        app.command(rich_help_panel=Panel.GATEWAY)(command)


def submit(
    manifest: Annotated[Path, typer.Argument(help="A YAML file with one or more ComputeJobs.")],
    gateway: GatewayUrl,
    token_file: TokenFile = None,
    key_file: KeyFile = None,
    namespace: Namespace = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show it until it ends.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Submit a job to a gateway; the same again is the same job. Prints its id."""
    from posthuman.cli.remote.submit import submit_manifest

    place = Place(url=gateway, token_file=token_file, key_file=key_file)
    end_with(
        lambda: submit_manifest(manifest, place.open(), namespace, wait, output is Output.JSON)
    )


def jobs(
    gateway: GatewayUrl,
    token_file: TokenFile = None,
    key_file: KeyFile = None,
    namespace: Namespace = "",
    phase: Annotated[Phase | None, typer.Option("--phase", help="Only those.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List your jobs at a gateway, newest first."""
    from posthuman.cli.remote.shown import list_jobs

    place = Place(url=gateway, token_file=token_file, key_file=key_file)
    end_with(
        lambda: list_jobs(
            place.open(), namespace, phase.value if phase else "", output is Output.JSON
        )
    )


def logs(
    job: JobId,
    gateway: GatewayUrl,
    token_file: TokenFile = None,
    key_file: KeyFile = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
) -> None:
    """Print what a job's algorithm writes."""
    from posthuman.cli.remote.shown import show_log

    place = Place(url=gateway, token_file=token_file, key_file=key_file)
    end_with(lambda: show_log(place.open(), job, follow))


def results(
    job: JobId,
    gateway: GatewayUrl,
    token_file: TokenFile = None,
    key_file: KeyFile = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="A folder to bring them to; it goes on if broken.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List a job's files, or bring them here, each checked by its sha256."""
    from posthuman.cli.remote.shown import show_results

    place = Place(url=gateway, token_file=token_file, key_file=key_file)
    end_with(lambda: show_results(place.open(), job, to, output is Output.JSON))


def stop(
    job: JobId,
    gateway: GatewayUrl,
    token_file: TokenFile = None,
    key_file: KeyFile = None,
) -> None:
    """End a job at a gateway; its logs and what it wrote so far are kept."""
    from posthuman.cli.remote.shown import stop_job

    place = Place(url=gateway, token_file=token_file, key_file=key_file)
    end_with(lambda: stop_job(place.open(), job))
