"""The commands of `posthuman algorithm` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posthuman.cli.ending import end_with

app = typer.Typer(help="Make an algorithm of your own, and publish it.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where its folder is made.")] = Path(),
) -> None:
    """Make a folder with code, schema, tests, Dockerfile and example job; it works as it is."""
    from posthuman.cli.algorithm.new import make_algorithm

    end_with(lambda: make_algorithm(name, folder))
