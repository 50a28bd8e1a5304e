"""The UriPolicy, applied: each URL before it is asked for, each address before it is connected to.

The connector gets its addresses from `CheckedResolver` alone, so what was checked is what is
connected to: a name that resolves differently the next moment gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from jobkit.addresses import Address, is_refused, parse_address, parse_networks
from jobkit.errors import UserFault, WorldFault
from jobkit.plan import UriPolicy

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
HostAndPort = tuple[str, int | None]
HTTP_SCHEMES = ("http", "https")


class UriRefused(UserFault):
    """The policy forbids this URI."""

    def __init__(self, uri: object, why: str) -> None:
        super().__init__("UriRefused", f"the URI {uri} is refused: {why}")


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """The machine's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one that is too long
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no name") from error
    return [str(entry[4][0]) for entry in found]


class UriGuard:
    """Says which URLs and which addresses one stage step may ask."""

    def __init__(self, policy: UriPolicy, lookup: Lookup = system_lookup) -> None:
        self._policy, self._lookup = policy, lookup
        self._allowed = parse_networks(policy.allowed_private_cidrs)
        self._denied = _topmost([_host_and_port(entry) for entry in policy.denied_hosts])

    async def admit(self, url: URL, hidden: bool = False) -> URL:
        """The URL itself, when its scheme and host may be asked. Raises UriRefused, WorldFault."""
        where = shown(url, hidden)
        if url.scheme not in self._policy.allowed_schemes or url.scheme not in HTTP_SCHEMES:
            raise UriRefused(where, f"the scheme {url.scheme!r} is not allowed here")
        if not url.host:
            raise UriRefused(where, "it names no host")
        if _looks_numeric(url.host):
            await self.check(url.host, url.port or 0, [_strict_address(url.host, where)])
        return url

    async def resolve(self, host: str, port: int) -> list[str]:
        """The host's addresses, each of them allowed. Raises UriRefused, WorldFault."""
        try:
            found = await self._lookup(host, port)
        except OSError as error:
            fault = UserFault if error.errno == socket.EAI_NONAME else WorldFault
            raise fault("HostNotFound", f"can't resolve {host}: {error}") from error
        await self.check(host, port, [parse_address(text) for text in found])
        return list(found)

    async def check(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Raises UriRefused if the store lives there, or if one address is not public."""
        if await self._is_denied(host, port, addresses):
            raise UriRefused(
                host, "it is the environment's own store; name its content by assetRef or upload"
            )
        for address in addresses:
            if is_refused(address, self._allowed):
                raise UriRefused(
                    host, f"{address} is not public; an admin can allow it (allowedPrivateCIDRs)"
                )

    async def _is_denied(self, host: str, port: int, addresses: Sequence[Address]) -> bool:
        for denied_host, denied_port in self._denied:
            if denied_port not in (None, port):
                continue
            if _same_or_below(host, denied_host):
                return True
            if set(addresses) & await self._addresses_of_store(denied_host):
                return True
        return False

    async def _addresses_of_store(self, host: str) -> set[Address]:
        """None if there is no such name. A lookup that fails is no answer: raises WorldFault."""
        if _looks_numeric(host):
            return {parse_address(host)}
        try:
            return {parse_address(text) for text in await self._lookup(host, 0)}
        except OSError as error:
            if error.errno == socket.EAI_NONAME:
                return set()
            message = f"can't resolve the store's host {host}, which no URI may lead to: {error}"
            raise WorldFault("StoreUnavailable", message) from error


class CheckedResolver(AbstractResolver):
    """aiohttp's resolver: gives a connection only addresses that the guard has checked."""

    def __init__(self, guard: UriGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._guard.resolve(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def shown(url: URL, hidden: bool = False) -> str:
    """The URL without what may be secret: user, password and query; its path too, of a URI that
    came in a Secret."""
    port = f":{url.explicit_port}" if url.explicit_port else ""
    return f"{url.scheme}://{url.host or ''}{port}{'/…' if hidden else url.path}"


def _looks_numeric(host: str) -> bool:
    """What a connector could take for an address and never ask the resolver for."""
    return ":" in host or host.replace(".", "").isdigit()


def _strict_address(host: str, where: str) -> Address:
    try:
        return parse_address(host)
    except ValueError as error:
        raise UriRefused(where, f"{host!r} is no address in plain form") from error


def _host_and_port(entry: str) -> HostAndPort:
    """`host`, `host:port` or `[v6]:port` of a denied host."""
    try:
        return str(ipaddress.ip_address(entry.strip("[]"))), None
    except ValueError:
        url = URL(f"//{entry}")
        return (url.host or entry), url.explicit_port


def _topmost(hosts: list[HostAndPort]) -> list[HostAndPort]:
    """Without those that are below another: `bucket.store` is refused with `store`."""
    return [
        (host, port)
        for host, port in hosts
        if not any(
            host != other and other_port == port and _same_or_below(host, other)
            for other, other_port in hosts
        )
    ]


def _same_or_below(host: str, denied: str) -> bool:
    """Also `bucket.store.example` for a store that answers to its buckets' names."""
    host, denied = host.rstrip(".").lower(), denied.rstrip(".").lower()
    return host == denied or host.endswith(f".{denied}")
