"""A remote signer: what it answers is checked before it is used, and its URL is in no error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3

from jobkit.manifest import digest_of
from posthuman.chain import UnsignedTransaction
from posthuman.errors import PosthumanError, TransientError, UserError
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.keys import LocalKey
from posthuman.ledger.raw import HALF_ORDER, difference
from posthuman.ledger.remote import RemoteKey
from tests.ledger.test_keys import told
from tests.services.chain import Chain
from tests.services.remote_signer import API_KEY, Cut, RemoteSigner, remote_signer

CHAIN_ID = 8996
ACCOUNT: LocalAccount = Account.create()
CALL = UnsignedTransaction(
    to=AsyncWeb3.to_checksum_address("0x" + "ab" * 20),
    data="0x" + "cd" * 100,
    gas=50_000,
    max_fee_wei=30 * 10**9,
    tip_wei=10**9,
)
LEGACY = UnsignedTransaction(
    to=CALL.to, data="0x", gas=21_000, max_fee_wei=30 * 10**9, tip_wei=None
)
TYPED: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
        ],
        "Receipt": [{"name": "manifest", "type": "bytes32"}],
    },
    "primaryType": "Receipt",
    "domain": {"name": "posthuman receipt", "chainId": CHAIN_ID},
    "message": {"manifest": "0x" + digest_of(b"").removeprefix("sha256:")},
}
BOTH = pytest.mark.parametrize("unsigned", [CALL, LEGACY], ids=["eip-1559", "legacy"])


@pytest.fixture
async def signer() -> AsyncIterator[RemoteSigner]:
    async with remote_signer(ACCOUNT, CHAIN_ID) as running:
        yield running


@pytest.fixture
async def key(signer: RemoteSigner) -> AsyncIterator[RemoteKey]:
    opened = RemoteKey(signer.url, ACCOUNT.address)
    yield opened
    await opened.close()


async def refused(error: type[PosthumanError], key: RemoteKey, typed: bool = False) -> str:
    """The reason of its refusal, which holds nothing of the URL."""
    with pytest.raises(error) as found:
        await (key.sign_typed_data(TYPED) if typed else key.sign_transaction(CALL, 7, CHAIN_ID))
    assert API_KEY not in told(found.value)
    assert "127.0.0.1" not in told(found.value)
    return found.value.reason


@BOTH
async def test_it_signs_what_a_key_here_would(
    key: RemoteKey, unsigned: UnsignedTransaction
) -> None:
    await key.check()
    here = LocalKey(ACCOUNT)
    for nonce in (0, 7, 300):
        there = await key.sign_transaction(unsigned, nonce, CHAIN_ID)
        assert there == await here.sign_transaction(unsigned, nonce, CHAIN_ID)
    assert await key.sign_typed_data(TYPED) == await here.sign_typed_data(TYPED)


@pytest.mark.chain
async def test_a_node_with_the_key_signs_too(chain: Chain) -> None:
    account = account_of(DEV_KEYS[3])
    key, here = RemoteKey(chain.url, account.address), LocalKey(account)
    await key.check()
    for unsigned in (CALL, LEGACY):
        there = await key.sign_transaction(unsigned, 7, CHAIN_ID)
        assert there == await here.sign_transaction(unsigned, 7, CHAIN_ID)
    assert await key.sign_typed_data(TYPED) == await here.sign_typed_data(TYPED)
    await key.close()


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        ({"nonce": "0x8"}, "another nonce"),
        ({"to": ACCOUNT.address}, "another receiver"),
        ({"data": "0x"}, "another data"),
        ({"value": "0x1"}, "another value"),
        ({"gas": "0xffff"}, "another gas limit"),
        ({"maxFeePerGas": hex(10**12)}, "another fee"),
        ({"maxPriorityFeePerGas": "0x2"}, "another tip"),
        ({"chainId": 1}, "another chain id"),
        ({"accessList": [{"address": ACCOUNT.address, "storageKeys": []}]}, "another access"),
    ],
)
async def test_another_transaction_than_it_was_asked_for_is_not_used(
    signer: RemoteSigner, key: RemoteKey, twist: dict[str, Any], words: str
) -> None:
    signer.twist = lambda call: call | twist
    with pytest.raises(UserError, match=words) as found:
        await key.sign_transaction(CALL, 7, CHAIN_ID)
    assert found.value.reason == "SignedOtherwise"


async def test_a_transaction_of_another_type_or_chain_is_not_used(
    signer: RemoteSigner, key: RemoteKey
) -> None:
    signer.twist = lambda call: {**_legacy(call)}
    with pytest.raises(UserError, match="another type"):
        await key.sign_transaction(CALL, 7, CHAIN_ID)
    signer.twist = lambda call: call | {"chainId": 1}
    with pytest.raises(UserError, match="another chain"):
        await key.sign_transaction(LEGACY, 7, CHAIN_ID)


def _legacy(call: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in call.items() if not name.startswith("max")}
    return kept | {"gasPrice": call["maxFeePerGas"]}


async def test_another_accounts_signature_is_not_used() -> None:
    """The signer takes every address for its own."""
    stranger: LocalAccount = Account.create()
    async with remote_signer(stranger, CHAIN_ID) as signer:
        key = RemoteKey(signer.url, ACCOUNT.address)
        with pytest.raises(UserError, match=f"has no key for {ACCOUNT.address}"):
            await key.check()
        assert await refused(UserError, key) == "SignerRefused"
        signer.takes_any = True
        assert await refused(UserError, key) == "SignedOtherwise"
        assert await refused(UserError, key, typed=True) == "SignedOtherwise"
        await key.close()


@pytest.mark.parametrize(
    "answer", [None, 5, "", "0x", "0x00", "0xf0", "0x02", "zz", {"raw": 1}, []]
)
async def test_what_is_no_signature_is_not_used(
    signer: RemoteSigner, key: RemoteKey, answer: object
) -> None:
    signer.result = answer
    assert await refused(UserError, key) == "SignedOtherwise"
    assert await refused(UserError, key, typed=True) == "SignedOtherwise"


@BOTH
async def test_every_bit_of_a_signed_transaction_counts(unsigned: UnsignedTransaction) -> None:
    """Either the bytes say something else, or somebody else signed them: never is it believed."""
    signed = await LocalKey(ACCOUNT).sign_transaction(unsigned, 7, CHAIN_ID)
    raw = bytes.fromhex(signed.raw[2:])
    async with remote_signer(ACCOUNT, CHAIN_ID) as signer:
        key = RemoteKey(signer.url, ACCOUNT.address)
        signer.result = signed.raw
        assert await key.sign_transaction(unsigned, 7, CHAIN_ID) == signed
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            signer.result = "0x" + changed.hex()
            with pytest.raises(UserError) as found:
                await key.sign_transaction(unsigned, 7, CHAIN_ID)
            assert found.value.reason == "SignedOtherwise"
        await key.close()


async def test_the_other_form_of_a_signature_is_not_used() -> None:
    """Chains refuse it (EIP-2): it would wait for ever."""
    order = 2 * HALF_ORDER + 1
    signed = await LocalKey(ACCOUNT).sign_transaction(CALL, 7, CHAIN_ID)
    raw = bytes.fromhex(signed.raw[2:])
    high = raw[:-32] + (order - int.from_bytes(raw[-32:])).to_bytes(32)
    assert not difference(raw, CALL, 7, CHAIN_ID)
    assert "high s" in difference(high, CALL, 7, CHAIN_ID)


def _cut() -> None:
    raise Cut


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_that_breaks_is_tried_again_later(
    signer: RemoteSigner, key: RemoteKey, when: str
) -> None:
    setattr(signer, when, _cut)
    for typed in (False, True):
        assert await refused(TransientError, key, typed) == "SignerUnreachable"
    with pytest.raises(TransientError):
        await key.check()
    setattr(signer, when, lambda: None)
    await key.sign_transaction(CALL, 7, CHAIN_ID)


async def test_a_signer_that_is_down_is_tried_again_later() -> None:
    key = RemoteKey(f"http://127.0.0.1:1/{API_KEY}", ACCOUNT.address)
    assert await refused(TransientError, key) == "SignerUnreachable"
    await key.close()


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_signer_that_answers_no_json_is_tried_again_later(
    signer: RemoteSigner, key: RemoteKey, status: int
) -> None:
    signer.status = status
    assert await refused(TransientError, key) == "SignerUnreachable"


async def test_what_a_signer_says_is_told_without_urls(
    signer: RemoteSigner, key: RemoteKey
) -> None:
    signer.refuses = lambda call: True
    with pytest.raises(UserError, match="Rejected by policy, see <url>") as found:
        await key.sign_transaction(CALL, 7, CHAIN_ID)
    assert found.value.reason == "SignerRefused"
    assert "k3y" not in told(found.value)


async def test_typed_data_travel_as_web3signer_takes_them(
    signer: RemoteSigner, key: RemoteKey
) -> None:
    await key.sign_typed_data(TYPED)
    ((method, (address, text)),) = signer.asked
    assert (method, address) == ("eth_signTypedData", ACCOUNT.address)
    assert json.loads(text) == TYPED
