"""What looks for secrets finds them, in every form; and the ledger logs none, at debug level."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from eth_account import Account

from posthuman.chain import MarketFee, Publication
from posthuman.errors import PosthumanError
from posthuman.ledger.keyring import KeyMaterial, LocalMaterial, RemoteMaterial, open_key
from posthuman.ledger.ocean import ledger_with
from tests.ledger.test_keys import PASSWORD, keystore
from tests.services.chain import Chain, mined
from tests.services.leaks import leaks
from tests.services.remote_signer import API_KEY, remote_signer

KEY = bytes.fromhex("8c7f" * 16)
WORD = b"wJalrXUt/nFEMI+K7MDENG"
DIGITS = KEY.hex()


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        f"0x{DIGITS}",
        DIGITS.upper(),
        f"key=0X{DIGITS.title()};",
        KEY,
        repr(list(KEY)),
        json.dumps(list(KEY), separators=(",", ":")),
        base64.b64encode(KEY),
        base64.b64encode(DIGITS.encode()),
        base64.b64encode(f"0x{DIGITS}\n".encode()),
        base64.b64encode(f"0x{DIGITS.upper()}\n".encode()),
        *(base64.b64encode(b"." * before + KEY + b"...") for before in range(4)),
        base64.urlsafe_b64encode(b"." + KEY),
        base64.b64encode(json.dumps({"privateKey": DIGITS}).encode()),
    ],
)
def test_a_planted_key_is_found(text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    found = leaks([("a", b"nothing"), ("b", b"before " + content + b" after")], {"key": KEY})
    assert {(leak.secret, leak.place) for leak in found} == {("key", "b")}
    assert DIGITS not in repr(found)


@pytest.mark.parametrize(
    "content", [WORD, quote(WORD, safe="").encode(), base64.b64encode(b"AWS=" + WORD), WORD.hex()]
)
def test_a_planted_word_is_found(content: bytes | str) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    assert leaks([("a", b"<" + raw + b">")], {"word": WORD})


def test_a_part_of_a_key_is_no_key() -> None:
    assert not leaks([("a", DIGITS[:-1].encode()), ("b", KEY[:-1])], {"key": KEY})


@pytest.mark.chain
@pytest.mark.parametrize("kind", ["bare", "keystore", "remote"])
async def test_no_log_of_any_level_holds_a_secret(
    chain: Chain, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A publication's first step, and faults of node and signer, with every logger at its most
    talkative."""
    account = await chain.new_account()
    caplog.set_level(logging.DEBUG)
    rpc_url = f"{chain.url}/?apikey={API_KEY}"
    async with remote_signer(account, 8996) as signer:
        materials: dict[str, KeyMaterial] = {
            "bare": LocalMaterial(account.key.hex().encode()),
            "keystore": LocalMaterial(keystore(account), PASSWORD.encode()),
            "remote": RemoteMaterial(signer.url.encode(), account.address),
        }
        key = await open_key(materials[kind])
        ledger = ledger_with(key, rpc_url, chain.spec())
        said = Publication(publication_id=kind, parents=(), manifest_digest="sha256:0")
        unsigned = await ledger.prepare_create(said, "GPT-2", MarketFee())
        signed = await ledger.sign(unsigned, 0)
        await ledger.send(signed.raw)
        await mined(ledger, signed.hash)
        nobody = ledger_with(key, f"http://127.0.0.1:1/{API_KEY}", chain.spec())
        signer.status = 500
        for failing in (nobody.nonces(), ledger.check_signer()):
            try:
                await failing
            except PosthumanError as error:
                logging.getLogger("test").exception("as the operator logs it", exc_info=error)
        await ledger.close()
        await nobody.close()
        await key.close()
    secrets = {
        "key": bytes(account.key),
        "API key": API_KEY.encode(),
        "password": PASSWORD.encode(),
    }
    written = [
        (record.name, (caplog.handler.format(record) + repr(record.args)).encode())
        for record in caplog.records
        if record.name != "aiohttp.access"  # of the signer's own server
    ]
    assert len(written) > 5
    assert leaks(written, secrets) == []


def test_an_account_shows_nothing_of_its_key() -> None:
    account = Account.create()
    shown = f"{account!r} {account} {LocalMaterial(bytes(account.key))!r}"
    assert leaks([("repr", shown.encode())], {"key": bytes(account.key)}) == []
