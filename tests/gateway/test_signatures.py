"""Signatures: recovered with the nonce, in both forms of v; nothing else gets in."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from posthuman.gateway.signatures import NotRecoverable, message_of, nonce_number, recover
from tests.builders import ALICE, BOB, HeldClock
from tests.gateway.provider import ALGORITHM_ORDER, Provider
from tests.gateway.test_shapes import COMPUTE, PREFIX, started
from tests.gateway.world import World

KEYS = st.integers(min_value=1, max_value=2**252).map(lambda number: number.to_bytes(32, "big"))
TEXTS = st.text(max_size=80)
NONCES = st.integers(min_value=0, max_value=2**63)


@settings(max_examples=25, deadline=None)
@given(key=KEYS, owner=TEXTS, job_id=TEXTS, nonce=NONCES, offset=st.sampled_from([0, 27]))
def test_the_signer_is_found_in_either_form(
    key: bytes, owner: str, job_id: str, nonce: int, offset: int
) -> None:
    provider = Provider(HeldClock(), key)
    message = message_of(owner, job_id, str(nonce))
    assert recover(provider.sign(message, offset), message) == provider.address.lower()
    bare = provider.sign(message, offset).removeprefix("0x")
    assert recover(bare, message) == provider.address.lower()


@settings(max_examples=60, deadline=None)
@given(
    signature=st.one_of(
        st.binary(max_size=64).map(bytes.hex),
        st.binary(min_size=66, max_size=70).map(bytes.hex),
        st.text(max_size=140),
        st.none(),
        st.integers(),
        st.lists(st.integers(), max_size=3),
        st.binary(min_size=64, max_size=64).map(lambda raw: raw.hex() + "05"),
        st.just("0x" + "00" * 65),
        st.just("0x" + "ff" * 65),
    )
)
def test_what_is_no_signature_is_told_as_such(signature: object) -> None:
    with pytest.raises(NotRecoverable):
        recover(signature, "message")


@settings(max_examples=40, deadline=None)
@given(nonce=st.integers(min_value=0, max_value=10**29))
def test_nonces_are_compared_as_whole_numbers(nonce: int) -> None:
    assert nonce_number(str(nonce)) == nonce
    assert nonce_number(str(nonce + 1)) != nonce_number(str(nonce))


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e18", "0x10", "٣", "1" * 31, " 1 2"])
def test_other_nonces_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        nonce_number(text)


async def test_a_signature_without_the_nonce_is_a_strangers() -> None:
    """Upstream recovers it so, and refuses every honest call where signatures are required."""
    world = World()
    body = world.provider.start()
    body["providerSignature"] = world.provider.sign(BOB)
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=body)
    assert answer.status_code == 401
    assert "is not authorized to use this service" in answer.json()["error"]


@pytest.mark.parametrize("signature", [None, "", "0x", "no", "0x" + "1" * 129, 5, {}])
async def test_a_malformed_signature_is_400_on_every_route(signature: object) -> None:
    world = World()
    query = {**world.provider.query(job_id="ab"), "index": 0, "providerSignature": signature}
    async with world.client() as client:
        post = world.provider.start() | {"providerSignature": signature}
        answers = [
            await client.post(COMPUTE, json=post),
            *[await client.request(m, COMPUTE, json=query) for m in ("GET", "PUT", "DELETE")],
            await client.request("GET", f"{PREFIX}/getResult", json=query),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()) == (400, {"error": "Failed to recover address"})


async def test_a_provider_speaks_for_the_environments_that_allow_it_alone() -> None:
    """Who asks for what: two providers, two environments, every route."""
    world = World()
    other = Provider(world.clock, Account.from_key("0x" + "7" * 64).key)
    world.allow("elsewhere", other.address)
    async with world.client() as client:
        ours = (await started(world, client))["jobId"]
        refused = await client.post(COMPUTE, json=other.start())
        allowed = await client.post(COMPUTE, json=other.start("elsewhere", agreementId="0xe"))
        theirs = allowed.json()[0]["jobId"]
        assert (refused.status_code, allowed.status_code) == (401, 200)
        for provider, seen, hidden in ((world.provider, ours, theirs), (other, theirs, ours)):
            for method in ("GET", "PUT"):
                for job_id, expected in ((seen, [seen]), (hidden, []), ("", [seen])):
                    query = provider.query(job_id=job_id)
                    answer = await client.request(method, COMPUTE, params=query)
                    assert [one["jobId"] for one in answer.json()] == expected
            query = provider.result(hidden, 0)
            answer = await client.get(f"{PREFIX}/getResult", params=query)
            assert answer.json() == {"error": f"Owner {BOB} mismatch for job {hidden}"}


async def test_nobody_gets_another_owners_jobs() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        for query in (
            world.provider.query(owner=ALICE),
            world.provider.query(owner=ALICE, job_id=job_id),
            world.provider.query(owner=ALICE, agreementId=ALGORITHM_ORDER),
        ):
            for method in ("GET", "PUT", "DELETE"):
                signed = world.provider.signed(ALICE, query.get("jobId", ""))
                answer = await client.request(method, COMPUTE, params=query | signed)
                assert answer.status_code == 200
                assert answer.json() in ([], "")
    assert not world.only_job().spec.stop


async def test_an_environment_without_providers_says_what_to_do() -> None:
    world = World()
    world.allow("closed", policy={"allowedProviders": []})
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=world.provider.start("closed"))
    assert answer.status_code == 401
    assert "policy.allowedProviders" in answer.json()["error"]
