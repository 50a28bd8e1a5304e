"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How a command says its result, on stdout."""

    TEXT = "text"
    JSON = "json"


DEFAULT_WORKDIR = Path(".posthuman")
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the result.")]
Workdir = Annotated[
    Path, typer.Option("--workdir", help="Where everything is kept: store, chain, logs.")
]
