"""Which addresses a buyer's URI may lead to: pure decisions on addresses that are resolved already.

Refused unless an admin allows the network: private, loopback, link-local (where clouds serve
their metadata), multicast and reserved ones, in IPv4, in IPv6, and as IPv4 carried inside IPv6.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Public by number (for Python's tables at least), yet served by the machine's own cloud.
CLOUD_METADATA = (IPv4Network("168.63.129.16/32"), IPv4Network("192.0.0.0/24"))
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def parse_address(text: str) -> Address:
    """An address without its zone, IPv4 carried in IPv6 taken out. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return _carried_ipv4(address) or address


def _carried_ipv4(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv4-mapped, 6to4, Teredo or NAT64 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


def parse_networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no CIDR."""
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)


def is_refused(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a buyer's URI may not lead here."""
    return not is_public(address) and not any(address in network for network in allowed)


def is_public(address: Address) -> bool:
    """Whether anyone on the internet could reach this address."""
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not site_local
        and not any(address in network for network in CLOUD_METADATA)
    )
