"""What a job may buy elsewhere and which code of its own it may bring: each refusal's sentence."""

from __future__ import annotations

from typing import Any

import pytest

from posthuman.environments.bought import checksum_of
from posthuman.environments.own_code import review_sources
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting
from tests.builders import CHAIN, SETTINGS, environment, job
from tests.fakes.provider import PROVIDER_URL, a_ddo

TEXT = "did:op:" + "a1" * 32
CODE = "did:op:" + "b2" * 32
BUYS = {**CHAIN, "providerUrl": PROVIDER_URL, "consumerKeySecret": {"name": "consumer"}}
ORDER = {"txId": "0x" + "0d" * 32}
POLICY = {"allowedImages": ["docker.io/oceanprotocol"], "allowRawCode": True}
DIGEST = "sha256:" + "c" * 64
CONTAINER = {"image": "docker.io/oceanprotocol/algo:1", "entrypoint": "python3 $ALGO"}
SECTION = {"entrypoint": "python3 $ALGO", "image": "docker.io/oceanprotocol/algo", "tag": "1"}
RAW = {"raw": {"uri": "https://example.com/run.py"}, "container": CONTAINER}


def verdict(
    spec: dict[str, Any],
    ddos: dict[str, dict[str, Any]] | None = None,
    chain: dict[str, Any] | None = BUYS,
    policy: dict[str, Any] = POLICY,
    on_laptop: bool = False,
) -> Verdict:
    place = environment(policy=policy, chain=chain) if chain else environment(policy=policy)
    request = Request(
        job=job(**{"inputs": [], **spec}),
        environment=place,
        assets={},
        catalogue=SETTINGS.catalogue,
        ddos={TEXT: a_ddo(TEXT), CODE: a_ddo(CODE)} if ddos is None else ddos,
        allow_files=on_laptop,
    )
    return review_sources(request)


def buying(**order: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "did": TEXT, "order": {**ORDER, **order}}]}


def with_code(container: dict[str, Any] = CONTAINER) -> dict[str, Any]:
    return {"algorithm": {"did": CODE, "order": ORDER, "container": container}}


def test_what_the_own_provider_serves_may_be_bought() -> None:
    assert verdict(buying()) is None
    for endpoint in (f"{PROVIDER_URL}/", f"{PROVIDER_URL}:443", PROVIDER_URL.upper()):
        assert verdict(buying(), {TEXT: a_ddo(TEXT, endpoint)}) is None


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://elsewhere.example", "http://provider.example", f"{PROVIDER_URL}.evil.example"],
)
def test_another_provider_s_is_refused(endpoint: str) -> None:
    found = verdict(buying(), {TEXT: a_ddo(TEXT, endpoint)})
    assert isinstance(found, Refusal)
    assert found.reason == "ProviderNotTrusted"


@pytest.mark.parametrize("lacks", ["providerUrl", "consumerKeySecret", "all"])
def test_an_environment_that_buys_nothing_runs_no_code_that_is_bought(lacks: str) -> None:
    chain = {key: value for key, value in BUYS.items() if key != lacks}
    found = verdict(with_code(), chain=None if lacks == "all" else chain)
    assert isinstance(found, Refusal)
    assert found.reason == "NoProvider"


def test_a_provider_s_data_set_needs_a_key_to_fetch_it() -> None:
    chain = {key: value for key, value in BUYS.items() if key != "consumerKeySecret"}
    found = verdict(buying(), chain=chain)
    assert isinstance(found, Refusal)
    assert found.reason == "NoProvider"


@pytest.mark.parametrize("lacks", ["providerUrl", "all"])
def test_without_a_provider_an_asset_may_yet_come_here(lacks: str) -> None:
    """input_policy.py has the job wait for it."""
    chain = {key: value for key, value in BUYS.items() if key != lacks}
    assert verdict(buying(), chain=None if lacks == "all" else chain) is None


def test_an_asset_that_nobody_knows_is_waited_for() -> None:
    found = verdict(buying(), {})
    assert isinstance(found, Waiting)
    assert found.reason == "AssetNotFound"


def test_a_purchase_needs_its_order() -> None:
    found = verdict({"inputs": [{"name": "text", "did": TEXT}]})
    assert isinstance(found, Refusal)
    assert (found.reason, "order.txId" in found.message) == ("OrderMissing", True)


def test_a_service_that_the_asset_has_not() -> None:
    found = verdict(buying(serviceId="s1"))
    assert isinstance(found, Refusal)
    assert found.reason == "ServiceNotFound"
    assert verdict(buying(serviceId="s0")) is None


@pytest.mark.parametrize("services", [None, "text", [1], [{"id": 3}], []])
def test_services_that_are_none(services: Any) -> None:
    found = verdict(buying(), {TEXT: {"id": TEXT, "services": services}})
    assert isinstance(found, Refusal)
    assert found.reason == "ServiceNotFound"


def test_code_by_did_in_an_allowed_image() -> None:
    assert verdict(with_code()) is None
    found = verdict(with_code({**CONTAINER, "image": "docker.io/evil/algo:1"}))
    assert isinstance(found, Refusal)
    assert found.reason == "ImageNotAllowed"
    assert verdict(with_code(), policy={}) is not None


def test_on_a_laptop_the_image_does_not_matter() -> None:
    assert verdict(with_code(), policy={}, on_laptop=True) is None


@pytest.mark.parametrize("entrypoint", ["", "  "])
def test_a_container_needs_an_entrypoint(entrypoint: str) -> None:
    found = verdict(with_code({**CONTAINER, "entrypoint": entrypoint}))
    assert isinstance(found, Refusal)
    assert found.reason == "NoEntrypoint"


def test_raw_code_needs_the_policy_s_leave() -> None:
    assert verdict({"algorithm": RAW}) is None
    found = verdict({"algorithm": RAW}, policy={**POLICY, "allowRawCode": False})
    assert isinstance(found, Refusal)
    assert found.reason == "RawCodeRefused"


@pytest.mark.parametrize("uri", ["http://example.com/x", "s3://b/x", "https://10.0.0.1/x"])
def test_raw_code_comes_from_where_inputs_may(uri: str) -> None:
    found = verdict({"algorithm": {**RAW, "raw": {"uri": uri}}})
    assert isinstance(found, Refusal)
    assert found.reason == "UriRefused"


@pytest.mark.parametrize(
    "container",
    [
        {**CONTAINER, "entrypoint": "sh $ALGO"},
        {**CONTAINER, "image": "docker.io/oceanprotocol/algo:2"},
        {**CONTAINER, "digest": DIGEST},  # any image that ever was in that repository
    ],
)
def test_a_container_other_than_the_ddo_s(container: dict[str, Any]) -> None:
    ddos = {CODE: a_ddo(CODE, container=SECTION)}
    assert verdict(with_code(), ddos) is None
    found = verdict(with_code(container), ddos)
    assert isinstance(found, Refusal)
    assert found.reason == "ContainerDiffers"


def test_a_container_that_the_ddo_names_by_its_digest() -> None:
    ddos = {CODE: a_ddo(CODE, container={**SECTION, "checksum": DIGEST})}
    right = {**CONTAINER, "image": "docker.io/oceanprotocol/mirror:9", "digest": DIGEST}
    assert verdict(with_code(right), ddos) is None
    for digest in ({}, {"digest": "sha256:" + "e" * 64}):
        found = verdict(with_code({**CONTAINER, **digest}), ddos)
        assert isinstance(found, Refusal)
        assert found.reason == "ContainerDiffers"


def test_the_section_s_checksum_is_ocean_s() -> None:
    """sha256 of entrypoint and digest together, as provider-py makes it."""
    assert checksum_of("a", "b") == (
        "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"
    )
