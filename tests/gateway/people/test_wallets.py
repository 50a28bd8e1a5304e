"""A wallet's signature is good for what it is of, once, and for nobody else."""

from __future__ import annotations

import pytest
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from posthuman.api.meta import Key
from posthuman.gateway.people.wallet_text import Asked, Proof, header_of, request_text
from posthuman.gateway.people.wallets import parse_proof, review_signature
from posthuman.gateway.problems import Problem
from tests.gateway.people.world import BOB, CAROL, HOST, PeopleWorld, passed, signed
from tests.gateway.world import NAMESPACE

JOBS = "/api/v1/jobs"
BOBS = f"{JOBS}/{NAMESPACE}.bobs"


@pytest.fixture
async def world() -> PeopleWorld:
    world = PeopleWorld()
    await world.succeed(await world.add_job(Key(NAMESPACE, "bobs"), BOB.address))
    return world


def now_of(world: PeopleWorld) -> int:
    return int(world.clock.now().timestamp())


@given(
    v=st.sampled_from([0, 27]),
    host=st.from_regex(r"[a-z.]{1,20}(:[0-9]{1,4})?", fullmatch=True),
    target=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1),
    body=st.binary(max_size=50),
    nonce=st.integers(0, 10**19),
)
def test_both_forms_of_v_name_the_signer(
    v: int, host: str, target: str, body: bytes, nonce: int
) -> None:
    asked = Asked(method="POST", host=host, target=target, body=body)
    text = encode_defunct(text=request_text(asked, nonce))
    raw = bytes(BOB.sign_message(text).signature)
    other = raw[:-1] + bytes([raw[-1] - 27 + v])
    proof = Proof(address=BOB.address.lower(), signature=other, nonce=nonce)
    assert parse_proof(header_of(proof)) == proof
    assert review_signature(proof, asked) == BOB.address


@pytest.mark.parametrize("end", [2, 26, 29, 35, 255])
def test_no_other_v_is_taken(end: int) -> None:
    asked = Asked(method="GET", host=HOST, target=JOBS)
    raw = bytes(BOB.sign_message(encode_defunct(text=request_text(asked, 1))).signature)
    proof = Proof(address=BOB.address, signature=raw[:-1] + bytes([end]), nonce=1)
    with pytest.raises(Problem, match="ends with v"):
        review_signature(proof, asked)


@pytest.mark.parametrize("raw", [bytes(65), b"\xff" * 64 + b"\x1b", b"\x01" * 65])
def test_bytes_that_are_no_signature(raw: bytes) -> None:
    with pytest.raises(Problem) as caught:
        review_signature(
            Proof(address=BOB.address, signature=raw, nonce=1),
            Asked(method="GET", host=HOST, target=JOBS),
        )
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "header",
    ["Wallet", "Wallet x", "Wallet address=0x12,nonce=1,signature=0x00", "Basic Ym9i", "Bearer "],
)
async def test_other_headers_are_refused_in_words(world: PeopleWorld, header: str) -> None:
    async with world.asking() as ask:
        answer = await ask("", "GET", JOBS, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "host", "body"),
    [
        ("DELETE", BOBS, HOST, b""),
        ("GET", f"{BOBS}/logs", HOST, b""),
        ("GET", f"{BOBS}?x=1", HOST, b""),
        ("GET", BOBS, "another.example", b""),
        ("GET", BOBS, HOST, b"{}"),
    ],
)
async def test_a_signature_is_of_one_request(
    world: PeopleWorld, method: str, path: str, host: str, body: bytes
) -> None:
    async with world.asking() as ask:
        header = signed(BOB, ask.client.build_request("GET", BOBS), ask.next_nonce())
        headers = {"Authorization": header, "Host": host}
        answer = await ask("", method, path, headers=headers, content=body)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "BadSignature"


async def test_naming_another_address_helps_nobody(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        request = ask.client.build_request("GET", BOBS)
        header = signed(CAROL, request, ask.next_nonce(), address=BOB.address)
        answer = await ask("", "GET", BOBS, headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_an_old_nonce_is_refused(world: PeopleWorld, seconds: int) -> None:
    async with world.asking() as ask:
        header = signed(BOB, ask.client.build_request("GET", BOBS), ask.next_nonce())
        world.clock.forward(seconds)
        answer = await ask("", "GET", BOBS, headers={"Authorization": header})
    assert answer.status_code == 400
    assert "nonce" in answer.json()["detail"]


async def test_the_same_delete_twice_is_the_same_delete(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        header = signed(BOB, ask.client.build_request("DELETE", BOBS), ask.next_nonce())
        headers = {"Authorization": header}
        assert (await ask("", "DELETE", BOBS, headers=headers)).status_code == 204
        assert (await ask("", "DELETE", BOBS, headers=headers)).status_code == 404


async def test_a_used_nonce_is_no_good_for_another_request_at_any_replica(
    world: PeopleWorld,
) -> None:
    async with world.asking() as one, world.asking() as other:
        nonce = one.next_nonce()
        header = signed(BOB, one.client.build_request("POST", f"{BOBS}/stop"), nonce)
        stopped = await one("", "POST", f"{BOBS}/stop", headers={"Authorization": header})
        assert stopped.status_code == 200
        header = signed(BOB, other.client.build_request("DELETE", BOBS), nonce)
        answer = await other("", "DELETE", BOBS, headers={"Authorization": header})
    assert answer.status_code == 400
    assert Key(NAMESPACE, "bobs") in world.access.all_jobs


async def test_a_pass_reads_until_it_ends_and_costs_no_write(world: PeopleWorld) -> None:
    headers = {"Authorization": passed(BOB, now_of(world) + 600)}
    before = world.access.writes
    async with world.asking() as ask:
        for _ in range(3):
            assert (await ask("", "GET", BOBS, headers=headers)).status_code == 200
        listed = await ask("", "GET", JOBS, headers=headers)
        assert [job["name"] for job in listed.json()["items"]] == ["bobs"]
        refused = await ask("", "DELETE", BOBS, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (401, "PassOnlyReads")
        world.clock.forward(601)
        ended = await ask("", "GET", BOBS, headers=headers)
        assert (ended.status_code, ended.json()["reason"]) == (401, "PassEnded")
    assert world.access.writes == before


async def test_a_pass_is_for_one_host_and_an_hour(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        for until, host, reason in (
            (3700, HOST, "PassTooLong"),
            (600, "another.example", "BadSignature"),
        ):
            headers = {"Authorization": passed(BOB, now_of(world) + until, host)}
            answer = await ask("", "GET", BOBS, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (401, reason)


@pytest.mark.parametrize(("name", "status"), [(HOST, 200), ("gateway.example", 401)])
async def test_what_was_signed_for_another_gateway_is_no_good_here(
    world: PeopleWorld, name: str, status: int
) -> None:
    """Its owner would send the host that it was signed for."""
    world.public_hosts = (name,)
    async with world.asking() as ask:
        assert (await ask(BOB, "GET", BOBS)).status_code == status
        headers = {"Authorization": passed(BOB, now_of(world) + 600)}
        assert (await ask("", "GET", BOBS, headers=headers)).status_code == status


async def test_a_gateway_may_take_tokens_alone(world: PeopleWorld) -> None:
    """Else any wallet could make jobs past a provider and its fee."""
    world.wallets = False
    async with world.asking() as ask:
        for answer in (
            await ask(BOB, "GET", BOBS),
            await ask(BOB, "POST", JOBS, json={"name": "new", "spec": {}}),
        ):
            assert (answer.status_code, answer.json()["reason"]) == (401, "NoWallets")
        assert (await ask("tina", "GET", JOBS)).status_code == 200
