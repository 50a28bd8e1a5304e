"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Panel(StrEnum):
    """What a command is for, as `posthuman --help` groups them."""

    MACHINE = "Try it on this machine"
    MODELS = "Models: bring, publish, buy, trace"
    GATEWAY = "Jobs at a gateway"
    SERVERS = "What a cluster runs"


class Output(StrEnum):
    """How a command says its result, on stdout."""

    TEXT = "text"
    JSON = "json"


DEFAULT_WORKDIR = Path(".posthuman")
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the result.")]
Workdir = Annotated[
    Path, typer.Option("--workdir", help="Where everything is kept: store, chain, logs.")
]
RpcOption = Annotated[
    str,
    typer.Option(
        "--rpc", envvar="POSTHUMAN_RPC_URL", help="A node's URL; default: the workdir's own chain."
    ),
]
AnyEnvironment = Annotated[
    Path | None,
    typer.Option(
        "--environment", help="ComputeEnvironment: its name in your cluster, or a file with it."
    ),
]
ContextOption = Annotated[
    str, typer.Option("--context", help="Of your kubeconfig; default: the current one.")
]
StoreOption = Annotated[
    str, typer.Option("--store", help="s3://… or file://…; default: the environment's.")
]
StoreEndpointOption = Annotated[
    str, typer.Option("--store-endpoint", help="Of an S3 server that is not AWS.")
]
StoreRegionOption = Annotated[str, typer.Option("--store-region", help="Of --store's bucket.")]
TrustOption = Annotated[
    list[str] | None,
    typer.Option("--trust", help="Address of a publisher to believe too; may be repeated."),
]
