"""`jobkit seal`: close this pod's network but for its peers, before the algorithm starts.

It runs as an init container with NET_ADMIN; the algorithm's container has no capability, so it
can't undo this. One node: every interface but loopback goes down. Several: nftables rules that
admit loopback and the peers' addresses, and drop all else both ways, name lookups too.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence

from jobkit.errors import WorldFault
from jobkit.plan import SealPlan
from jobkit.report import Report

LOOPBACK = "lo"
TABLE = "posthuman_seal"
SECONDS_BETWEEN_LOOKUPS = 0.5

Resolve = Callable[[str], Iterable[str]]


def seal(plan: SealPlan) -> Report:
    """Close the network. Raises WorldFault when that is impossible: nothing may then start."""
    if plan.nodes == 1:
        names = [name for _, name in socket.if_nameindex()]
        for command in closing_commands(names):
            _run(command, "")
        return Report(reason="Completed", message="the network is closed")
    peers = wait_for_peers(plan, resolve_all)
    _run(["nft", "-f", "-"], ruleset(peers))
    return Report(reason="Completed", message=f"the network is closed but for {len(peers)} peers")


def closing_commands(interfaces: Sequence[str]) -> list[list[str]]:
    """One command for each interface that isn't loopback."""
    return [["ip", "link", "set", name, "down"] for name in interfaces if name != LOOPBACK]


def wait_for_peers(
    plan: SealPlan,
    resolve: Resolve,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Every peer's address and the master's, once all of them are known. Raises WorldFault."""
    deadline = clock() + plan.timeout_seconds
    while True:
        peers = sorted(set(resolve(plan.peers_host)))
        master = sorted(set(resolve(plan.master_address))) if plan.master_address else []
        if is_complete(peers, plan.nodes) and (master or not plan.master_address):
            return sorted({*peers, *master})
        print(f"seal: {len(peers)} addresses of {plan.nodes} peers are known", flush=True)
        if clock() >= deadline:
            raise WorldFault(
                "PeersMissing",
                f"{plan.peers_host} names {len(peers)} addresses after "
                f"{plan.timeout_seconds:.0f} s, {plan.nodes} pods are expected; "
                "is every pod of the job scheduled?",
            )
        sleep(SECONDS_BETWEEN_LOOKUPS)


def is_complete(addresses: Iterable[str], nodes: int) -> bool:
    """Whether each IP family that is in use has an address for every node."""
    versions = [ipaddress.ip_address(address).version for address in addresses]
    return bool(versions) and all(versions.count(version) >= nodes for version in set(versions))


def resolve_all(host: str) -> list[str]:
    """Addresses of a name (or of an address); none while the name is unknown."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return [str(entry[4][0]) for entry in found]


def ruleset(addresses: Sequence[str]) -> str:
    """What `nft -f` applies in one step; applying it again replaces it."""
    by_version = {
        version: [a for a in addresses if ipaddress.ip_address(a).version == version]
        for version in (4, 6)
    }
    return "\n".join(
        [
            f"table inet {TABLE} {{}}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *_chain("input", "iifname", "saddr", by_version, "drop"),
            *_chain("output", "oifname", "daddr", by_version, "reject with icmpx admin-prohibited"),
            "}",
            "",
        ]
    )


def _chain(
    hook: str, interface: str, side: str, by_version: dict[int, list[str]], otherwise: str
) -> list[str]:
    """`otherwise`: what goes out is rejected, so that a program fails at once and doesn't hang."""
    lines = [
        f"  chain {hook} {{",
        f"    type filter hook {hook} priority filter; policy drop;",
        f'    {interface} "{LOOPBACK}" accept',
    ]
    for version, family in ((4, "ip"), (6, "ip6")):
        if by_version[version]:
            lines.append(f"    {family} {side} {{ {', '.join(by_version[version])} }} accept")
    if by_version[6]:  # IPv6 finds its neighbours by ICMP
        lines.append("    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")
    return [*lines, f"    {otherwise}", "  }"]


def _run(command: Sequence[str], given: str) -> None:
    try:
        done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise WorldFault("SealFailed", f"the image lacks {command[0]!r}") from error
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise WorldFault("SealFailed", f"{' '.join(command)}: {said}; is NET_ADMIN granted?")
