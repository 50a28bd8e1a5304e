"""Keys: from a Secret, a keystore file or a remote signer, and none of them in an error."""

from __future__ import annotations

import asyncio
import json
import traceback
from typing import Any, Literal

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from posthuman.errors import UserError
from posthuman.ledger import keyring
from posthuman.ledger.account import account_of
from posthuman.ledger.keyring import (
    KeyMaterial,
    KeyRing,
    LocalMaterial,
    RemoteMaterial,
    open_key,
)
from posthuman.ledger.keys import SigningKey

PASSWORD = "open sesame"
# The specification's own example (Web3 Secret Storage, "pbkdf2"), of the password "testpassword".
KEY = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
EXAMPLE = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def keystore(account: LocalAccount, kdf: Literal["pbkdf2", "scrypt"] = "pbkdf2") -> bytes:
    """A file of few rounds, so that opening it takes no second."""
    rounds = 1 if kdf == "pbkdf2" else 2
    return json.dumps(Account.encrypt(account.key, PASSWORD, kdf=kdf, iterations=rounds)).encode()


def told(error: BaseException) -> str:
    """All that a log could ever hold of it."""
    return "".join(traceback.format_exception(error)) + repr(error)


async def test_the_specifications_own_example_is_opened() -> None:
    key = await open_key(LocalMaterial(json.dumps(EXAMPLE).encode(), b"testpassword"))
    assert key.address == Account.from_key(KEY).address


@pytest.mark.parametrize("kdf", ["pbkdf2", "scrypt"])
async def test_a_keystore_file_is_opened_with_its_password(
    kdf: Literal["pbkdf2", "scrypt"],
) -> None:
    account: LocalAccount = Account.create()
    key = await open_key(LocalMaterial(keystore(account, kdf), f"{PASSWORD}\r\n".encode()))
    assert key.address == account.address


async def test_a_bare_key_may_begin_like_a_file() -> None:
    raw = b"{" + b"\x01" * 31
    assert (await open_key(LocalMaterial(raw))).address == Account.from_key(raw).address


async def test_opening_a_keystore_file_holds_up_nothing_else() -> None:
    """It is hard work by design; the operator goes on beside it."""
    opening = asyncio.create_task(open_key(LocalMaterial(json.dumps(EXAMPLE).encode(), b"x")))
    await asyncio.sleep(0)
    turns = 0
    while not opening.done():
        turns += 1
        await asyncio.sleep(0.001)
    with pytest.raises(UserError):
        await opening
    assert turns > 10


@pytest.mark.parametrize(
    ("material", "reason"),
    [
        (LocalMaterial(json.dumps(EXAMPLE).encode(), b"wrong password"), "SignerPasswordWrong"),
        (LocalMaterial(json.dumps(EXAMPLE).encode()), "SignerPasswordMissing"),
        (LocalMaterial(KEY.hex().encode(), b"testpassword"), "SignerKeyInvalid"),
        (LocalMaterial(KEY, b"testpassword"), "SignerKeyInvalid"),
        (LocalMaterial(b"[" * 100_000, b"testpassword"), "SignerKeyInvalid"),
        (LocalMaterial(json.dumps(EXAMPLE | {"version": 1}).encode(), b"x"), "SignerKeyInvalid"),
        (LocalMaterial(b'{"version": 3}', b"x"), "SignerKeyInvalid"),
        (LocalMaterial(b'{"version": 3, "crypto": {"kdf": "md5"}}', b"x"), "SignerKeyInvalid"),
        (LocalMaterial(KEY.hex().encode() + b"00"), "SignerKeyInvalid"),
    ],
)
async def test_what_opens_no_key_is_said_and_not_repeated(
    material: LocalMaterial, reason: str
) -> None:
    with pytest.raises(UserError) as refused:
        await open_key(material)
    assert refused.value.reason == reason
    secrets = [KEY.hex(), "testpassword", "wrong password", EXAMPLE["crypto"]["ciphertext"]]  # type: ignore[index]  # a literal
    assert not [secret for secret in secrets if secret in told(refused.value)]


def test_what_a_key_is_opened_with_shows_nothing_of_it() -> None:
    local = LocalMaterial(KEY.hex().encode(), b"testpassword")
    remote = RemoteMaterial(b"https://signer.example/c0ffee", "0x12")
    shown = f"{local!r} {local} {[remote]} {(local, remote)}"
    assert not [word for word in (KEY.hex(), "testpassword", "c0ffee") if word in shown]


class Counted:
    """Opens keys, and counts."""

    def __init__(self) -> None:
        self.opened: list[KeyMaterial] = []

    async def __call__(self, material: KeyMaterial) -> SigningKey:
        self.opened.append(material)
        await asyncio.sleep(0)
        return await open_key(material)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counting = Counted()
    monkeypatch.setattr(keyring, "open_key", counting)
    return counting


async def test_a_key_is_opened_once_whoever_asks(counted: Counted) -> None:
    ring, material = KeyRing(), LocalMaterial(KEY)
    keys = await asyncio.gather(*[ring.key("a100", LocalMaterial(KEY)) for _ in range(20)])
    assert len({id(key) for key in keys}) == 1
    assert counted.opened == [material]
    other = LocalMaterial(b"\x01" * 32)
    assert (await ring.key("a100", other)).address != keys[0].address
    assert counted.opened == [material, other]


async def test_a_wrong_password_is_tried_once(counted: Counted) -> None:
    """Trying is a second of hard work, and a reconcile asks every few seconds."""
    ring, account = KeyRing(), Account.create()
    wrong = LocalMaterial(keystore(account), b"wrong")
    for _ in range(3):
        with pytest.raises(UserError, match="doesn't open"):
            await ring.key("a100", wrong)
    assert counted.opened == [wrong]
    right: Any = LocalMaterial(wrong.secret, PASSWORD.encode())
    assert (await ring.key("a100", right)).address == account.address


def test_keys_are_read_as_secrets_hold_them() -> None:
    raw = bytes.fromhex("11" * 32)
    for text in (b"11" * 32, b"0x" + b"11" * 32 + b"\n", raw):
        assert account_of(text).key == raw


@pytest.mark.parametrize("text", [b"", b"secret", b"\xff" * 31, b"00" * 32])
def test_a_bad_key_is_refused_without_being_repeated(text: bytes) -> None:
    with pytest.raises(UserError, match="64 hex digits") as refused:
        account_of(text)
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__
