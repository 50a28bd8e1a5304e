"""The guard between a buyer's URI and the network."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from yarl import URL

from jobkit.errors import Fault, UserFault, WorldFault
from jobkit.plan import UriPolicy
from jobkit.uri_guard import CheckedResolver, UriGuard, UriRefused, system_lookup

NAMES = {
    "public.example": ["93.184.216.34"],
    "mixed.example": ["93.184.216.34", "10.0.0.1"],
    "inside.example": ["10.0.0.1"],
    "store.example": ["93.184.216.99"],
    "alias.example": ["93.184.216.99"],
    "127.1": ["127.0.0.1"],
    "0x7f000001": ["127.0.0.1"],
}


async def lookup(host: str, port: int) -> Sequence[str]:
    if host == "gone.example":
        raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return NAMES[host]


def guard(**policy: tuple[str, ...]) -> UriGuard:
    return UriGuard(UriPolicy(**policy), lookup)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("uri", ["http://public.example/x", "ftp://public.example/x", "//x/y"])
async def test_refuses_schemes_outside_the_allow_list(uri: str) -> None:
    with pytest.raises(UriRefused, match="scheme"):
        await guard().admit(URL(uri))


async def test_a_scheme_we_cannot_speak_is_refused_even_when_allowed() -> None:
    with pytest.raises(UriRefused, match="gopher"):
        await guard(allowed_schemes=("gopher",)).admit(URL("gopher://public.example/"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
async def test_refuses_private_addresses_in_the_uri(host: str) -> None:
    with pytest.raises(UriRefused, match="not public"):
        await guard().admit(URL(f"https://{host}/x"))


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "1.2.3.4.5"])
async def test_refuses_numbers_that_a_connector_could_take_for_an_address(host: str) -> None:
    with pytest.raises(UriRefused):
        await guard().admit(URL(f"https://{host}/x"))


@pytest.mark.parametrize("host", ["inside.example", "mixed.example", "0x7f000001"])
async def test_refuses_names_with_a_private_address(host: str) -> None:
    with pytest.raises(UriRefused, match="not public"):
        await CheckedResolver(guard()).resolve(host, 443)


async def test_gives_the_connector_the_checked_addresses() -> None:
    found = await CheckedResolver(guard()).resolve("public.example", 443)
    assert [(entry["host"], entry["port"]) for entry in found] == [("93.184.216.34", 443)]


@pytest.mark.parametrize(
    ("host", "fault"), [("no.example", UserFault), ("gone.example", WorldFault)]
)
async def test_a_name_that_does_not_exist_is_a_mistake_a_dns_that_is_down_is_none(
    host: str, fault: type[Fault]
) -> None:
    with pytest.raises(fault, match=host):
        await CheckedResolver(guard()).resolve(host, 443)


@pytest.mark.parametrize("host", ["a..example", "a" * 70 + ".example"])
async def test_what_can_be_no_name_is_told_as_an_absent_one(host: str) -> None:
    with pytest.raises(socket.gaierror, match="is no name"):
        await system_lookup(host, 443)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("store.example", 443),
        ("STORE.example.", 443),
        ("bucket.store.example", 443),
        ("alias.example", 443),
    ],
)
async def test_the_store_is_refused_by_name_and_by_address(host: str, port: int) -> None:
    NAMES.setdefault(host, ["93.184.216.34"])
    with pytest.raises(UriRefused, match="own store"):
        await guard(denied_hosts=("store.example:443",)).resolve(host, port)


async def test_the_stores_address_in_the_uri_is_refused() -> None:
    with pytest.raises(UriRefused, match="own store"):
        await guard(denied_hosts=("store.example",)).admit(URL("https://93.184.216.99/bucket"))


async def test_the_store_is_refused_inside_an_allowed_network() -> None:
    allowed = guard(denied_hosts=("10.0.0.1:7070",), allowed_private_cidrs=("10.0.0.0/8",))
    with pytest.raises(UriRefused, match="own store"):
        await allowed.resolve("inside.example", 7070)
    assert await allowed.resolve("inside.example", 80) == ["10.0.0.1"]


async def test_while_the_stores_address_is_unknown_nothing_is_fetched() -> None:
    with pytest.raises(WorldFault, match=r"gone\.example"):
        await guard(denied_hosts=("gone.example",)).resolve("public.example", 443)


async def test_a_bucket_name_below_the_store_need_not_exist() -> None:
    hosts = ("store.example:443", "bucket.store.example:443", "other.invalid")
    assert await guard(denied_hosts=hosts).resolve("public.example", 443)
    by_address = ("10.0.0.9:7070", "bucket.10.0.0.9:7070")
    assert await guard(denied_hosts=by_address).resolve("public.example", 443)


async def test_the_refusal_hides_what_a_signed_url_carries() -> None:
    with pytest.raises(UriRefused) as caught:
        await guard().admit(URL("http://u:secret@public.example/x?signature=secret"))
    assert "secret" not in str(caught.value)
