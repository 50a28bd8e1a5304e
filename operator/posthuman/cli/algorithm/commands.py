"""The commands of `posthuman algorithm` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posthuman.cli.ending import end_with
from posthuman.cli.options import DEFAULT_WORKDIR, Output, OutputOption, Workdir

app = typer.Typer(help="Make an algorithm of your own, and publish it.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where its folder is made.")] = Path(),
) -> None:
    """Make a folder with code, schema, tests, Dockerfile and example job; it works as it is."""
    from posthuman.cli.algorithm.new import make_algorithm

    end_with(lambda: make_algorithm(name, folder))


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="The algorithm's folder.")],
    image: Annotated[
        str, typer.Option("--image", help="registry/name:tag@sha256:…, as `docker push` prints.")
    ],
    name: Annotated[str, typer.Option("--name", help="Default: that of algorithm.json.")] = "",
    description: Annotated[
        str, typer.Option("--description", help="Default: that of algorithm.json.")
    ] = "",
    license_: Annotated[str, typer.Option("--license", help="An SPDX identifier.")] = "",
    author: Annotated[str, typer.Option("--author", help="Default: your address.")] = "",
    environment: Annotated[
        Path | None,
        typer.Option("--environment", help="ComputeEnvironment and Secrets: whose chain to use."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="Your key; default: the environment's signer."),
    ] = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    output: OutputOption = Output.TEXT,
) -> None:
    """Publish it as an Ocean algorithm asset: an NFT, a datatoken and a DDO, once however often."""
    from posthuman.cli.algorithm.folder import Said
    from posthuman.cli.algorithm.publish import publish_algorithm

    words = Said(image=image, title=name, description=description, license=license_, author=author)
    as_json = output is Output.JSON
    end_with(lambda: publish_algorithm(folder, words, environment, workdir, key_file, as_json))
