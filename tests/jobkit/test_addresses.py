"""Which addresses a buyer's URI may lead to."""

from __future__ import annotations

import pytest

from jobkit.addresses import is_refused, parse_address, parse_networks


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_refuses_what_is_not_public(address: str) -> None:
    assert is_refused(parse_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_lets_public_addresses_pass(address: str) -> None:
    assert not is_refused(parse_address(address), ())


def test_an_admin_can_allow_a_private_network() -> None:
    allowed = parse_networks(["10.1.0.0/16"])
    assert not is_refused(parse_address("10.1.2.3"), allowed)
    assert not is_refused(parse_address("::ffff:10.1.2.3"), allowed)
    assert is_refused(parse_address("10.2.0.1"), allowed)


def test_a_network_may_be_written_by_an_address_within_it() -> None:
    """The environment admits it so; each stage step with a URI would fail without a sentence."""
    (network,) = parse_networks(["10.1.2.3/16"])
    assert str(network) == "10.1.0.0/16"
