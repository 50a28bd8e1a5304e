"""`posthuman gateway`: Ocean's compute API and one for people, as the chart starts it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from posthuman.cli.ending import SUCCEEDED, end_with


class LogLevel(StrEnum):
    """From which level on something is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def gateway(
    namespace: Annotated[str, typer.Option(help="Where jobs are made that are bought here.")],
    also_namespace: Annotated[
        list[str] | None,
        typer.Option(help="Where jobs are shown and stopped too; may be repeated."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(help="Of the API, /healthz, /readyz and /metrics.")] = 8080,
    address: Annotated[
        str, typer.Option(help="Of the operator, as / tells it; default: the environment's.")
    ] = "",
    public_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name of this gateway, as gateway.example:8080, that wallets sign for; may be "
            "repeated. Without one a signature for any name is taken."
        ),
    ] = None,
    wallets: Annotated[
        bool,
        typer.Option(
            "--wallets/--no-wallets",
            help="Whether any wallet that policy.tenants lets may make jobs.",
        ),
    ] = True,
    kubeconfig: Annotated[
        str, typer.Option(help="Outside a cluster; in a pod its service account is used.")
    ] = "",
    log_level: Annotated[LogLevel, typer.Option(help="From which level on.")] = LogLevel.INFO,
) -> None:
    """Serve Ocean's compute API, and one for people, in front of a cluster's jobs."""
    from posthuman.gateway.settings import GatewaySettings
    from posthuman.gateway_process import serve

    settings = GatewaySettings(
        namespace=namespace,
        also_namespaces=tuple(also_namespace or ()),
        host=host,
        port=port,
        address=address,
        public_hosts=tuple(name.lower() for name in public_host or ()),
        wallets=wallets,
        kubeconfig=kubeconfig,
    )

    def command() -> int:
        serve(settings, log_level.value)
        return SUCCEEDED

    end_with(command)
