"""How a gateway is installed, and what it lets one caller take of it."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one request."""

    body_bytes: int = 2 * 1024 * 1024  # the raw code in it goes to a Secret, which holds 1 MiB
    idle_receive_seconds: float = 20.0  # between two pieces of a body
    body_seconds: float = 120.0  # for all of a body
    idle_send_seconds: float = 60.0  # until a client takes the next piece of an answer
    requests_per_second: float = 20.0  # of one caller, at one replica
    requests_at_once: int = 200
    nonce_seconds: float = 300.0  # how old a signed request may be, and how far ahead of our clock


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs are made in `namespace`; those of `also_namespaces` are shown and stopped too."""

    namespace: str
    also_namespaces: tuple[str, ...] = ()
    host: str = "0.0.0.0"
    port: int = 8080
    public_hosts: tuple[str, ...] = ()  # as people write them, port included; empty: any
    wallets: bool = True  # whether whoever holds one may make jobs, beside people with a token
    kubeconfig: str = ""  # outside a cluster; in a pod its service account is used
    address: str = ""  # what `/` says of the operator; empty: the first environment's signer
    limits: Limits = Limits()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All of them, without doubles."""
        return tuple(dict.fromkeys((self.namespace, *self.also_namespaces)))
