"""The Ledger port's contract, on the fake and on a real EVM node with Ocean's contracts."""

from __future__ import annotations

import hashlib
import lzma
import uuid
from collections.abc import AsyncIterator

import pytest

from posthuman.assets.ddo import in_clear
from posthuman.assets.did import did_of
from posthuman.chain import (
    CreatedNFT,
    MarketFee,
    Metadata,
    Publication,
    Receipt,
    SetDDO,
    UnsignedTransaction,
)
from posthuman.chain_ports import Ledger
from posthuman.errors import TransientError, UserError
from tests.builders import ALICE, BOB
from tests.contracts.grounds import (
    FakeGround,
    Ground,
    RealGround,
    bare_key,
    keystore_file,
    remote_key,
)
from tests.services.chain import mined

DIGEST = "sha256:" + "d" * 64
PARENT = "did:op:" + "1" * 64
TOKENS = 10**18


@pytest.fixture(
    params=[
        pytest.param(None, id="fake"),
        *(
            pytest.param(kind, id=f"anvil-{kind.__name__}", marks=pytest.mark.chain)
            for kind in (bare_key, keystore_file, remote_key)
        ),
    ]
)
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    if request.param is None:
        yield FakeGround()
        return
    real = RealGround(request.getfixturevalue("chain"), request.param)
    yield real
    await real.close()


def publication() -> Publication:
    """One that no other test uses."""
    return Publication(publication_id=str(uuid.uuid4()), parents=(PARENT,), manifest_digest=DIGEST)


async def carry_out(ledger: Ledger, unsigned: UnsignedTransaction) -> Receipt:
    signed = await ledger.sign(unsigned, (await ledger.nonces()).pending)
    await ledger.send(signed.raw)
    return await mined(ledger, signed.hash)


async def create(ledger: Ledger, said: Publication | None = None) -> Receipt:
    unsigned = await ledger.prepare_create(said or publication(), "A model", MarketFee())
    return await carry_out(ledger, unsigned)


async def counts(ledger: Ledger) -> tuple[int, int, int]:
    """Settled, mined, pending."""
    nonces = await ledger.nonces()
    return nonces.settled, nonces.mined, nonces.pending


async def test_check_accepts_the_chain_of_the_environment(ground: Ground) -> None:
    await (await ground.ledger()).check()


async def test_the_signer_can_be_asked_before_anything_is_signed(ground: Ground) -> None:
    await (await ground.ledger()).check_signer()


async def test_check_refuses_another_chain(ground: Ground) -> None:
    with pytest.raises(UserError, match="8996") as refused:
        await (await ground.ledger(chain_id=1)).check()
    assert refused.value.reason == "ChainIdMismatch"


async def test_a_creation_is_found_by_its_publication_id(ground: Ground) -> None:
    ledger, said = await ground.ledger(), publication()
    receipt = await create(ledger, said)
    assert receipt.succeeded
    assert await ledger.find(said.publication_id) == CreatedNFT(
        publication=said,
        nft=receipt.nft,
        datatoken=receipt.datatoken,
        hash=receipt.hash,
        block=receipt.block,
        creator=ledger.signer,
        name="A model",
        nonce=0,
    )
    assert await ledger.nft_owner(receipt.nft) == ledger.signer


async def test_only_the_signers_own_creations_are_found(ground: Ground) -> None:
    ledger, stranger, said = await ground.ledger(), await ground.ledger(), publication()
    await create(stranger, said)
    await create(ledger)
    assert await ledger.find(said.publication_id) is None


async def test_signing_has_no_effect_and_gives_the_same_bytes_again(ground: Ground) -> None:
    ledger, said = await ground.ledger(), publication()
    unsigned = await ledger.prepare_create(said, "A model", MarketFee())
    signed = await ledger.sign(unsigned, 0)
    assert await ledger.sign(unsigned, 0) == signed
    assert await ledger.sign(unsigned, 1) != signed
    assert await ledger.receipt(signed.hash) is None
    assert (await ledger.nonces()).pending == 0
    assert await ledger.find(said.publication_id) is None


async def test_sending_again_is_success_before_and_after_it_is_mined(ground: Ground) -> None:
    ledger, said = await ground.ledger(), publication()
    await ground.hold()
    signed = await ledger.sign(await ledger.prepare_create(said, "A model", MarketFee()), 0)
    await ledger.send(signed.raw)
    await ledger.send(signed.raw)
    assert await ledger.receipt(signed.hash) is None
    await ground.mine()
    await ledger.send(signed.raw)
    await ground.mine()
    receipt = await ledger.receipt(signed.hash)
    assert receipt is not None
    assert receipt.confirmations == 2
    assert (await ledger.nonces()).pending == 1


async def test_pending_transactions_count_for_the_next_nonce_alone(ground: Ground) -> None:
    ledger = await ground.ledger()
    await ground.hold()
    unsigned = await ledger.prepare_create(publication(), "A model", MarketFee())
    await ledger.send((await ledger.sign(unsigned, 0)).raw)
    assert await counts(ledger) == (0, 0, 1)
    await ground.mine()
    assert await counts(ledger) == (1, 1, 1)


async def test_whoever_spent_a_nonce_is_found(ground: Ground) -> None:
    ledger, stranger = await ground.ledger(), await ground.ledger()
    assert await ledger.spent_by(0) is None
    unsigned = await ledger.prepare_filler()
    sent = [await carry_out(ledger, unsigned) for _ in range(5)]
    await carry_out(stranger, await stranger.prepare_filler())
    found = [await ledger.spent_by(nonce) for nonce in range(5)]
    assert [spent.hash for spent in found if spent] == [receipt.hash for receipt in sent]
    assert [spent.confirmations for spent in found if spent] == [6, 5, 4, 3, 2]
    assert await ledger.spent_by(5) is None


async def test_a_filler_uses_up_a_nonce_and_moves_nothing(ground: Ground) -> None:
    ledger = await ground.ledger()
    receipt = await carry_out(ledger, await ledger.prepare_filler())
    assert receipt.succeeded
    assert await counts(ledger) == (1, 1, 1)


async def test_a_replacement_takes_the_others_place(ground: Ground) -> None:
    ledger = await ground.ledger()
    await ground.hold()
    first = await ledger.sign(await ledger.prepare_create(publication(), "A model", MarketFee()), 0)
    await ledger.send(first.raw)
    unsigned = await ledger.prepare_replacement(first.raw)
    second = await ledger.sign(unsigned, 0)
    await ledger.send(second.raw)
    with pytest.raises(TransientError) as refused:
        await ledger.send(first.raw)
    assert refused.value.reason == "Underpriced"
    await ground.mine()
    receipt = await mined(ledger, second.hash)
    assert receipt.succeeded
    assert receipt.nft
    assert await ledger.receipt(first.hash) is None
    assert receipt.gas_used > 0
    assert receipt.cost_wei >= receipt.gas_used


async def test_a_nonce_is_settled_once_as_many_blocks_as_asked_lie_over_it(ground: Ground) -> None:
    ledger = await ground.ledger(confirmations=3)
    await carry_out(ledger, await ledger.prepare_filler())
    for settled in (0, 0, 1):
        assert await counts(ledger) == (settled, 1, 1)
        await ground.mine()


async def test_nonces_of_another_chain_are_no_nonces_of_ours(ground: Ground) -> None:
    with pytest.raises(UserError) as refused:
        await (await ground.ledger(chain_id=1)).nonces()
    assert refused.value.reason == "ChainIdMismatch"


async def test_many_transactions_share_a_block_in_whatever_order_they_come(ground: Ground) -> None:
    ledger = await ground.ledger()
    await ground.hold()
    unsigned = await ledger.prepare_create(publication(), "A model", MarketFee())
    signed = [await ledger.sign(unsigned, nonce) for nonce in (2, 0, 1)]
    for transaction in signed:
        await ledger.send(transaction.raw)
    await ground.mine()
    receipts = [await ledger.receipt(transaction.hash) for transaction in signed]
    assert len({receipt.block for receipt in receipts if receipt}) == 1
    assert len({receipt.nft for receipt in receipts if receipt}) == 3


async def test_metadata_is_set(ground: Ground) -> None:
    ledger = await ground.ledger()
    created = await create(ledger)
    assert not await ledger.has_metadata(created.nft)
    await carry_out(
        ledger, await ledger.prepare_metadata(created.nft, in_clear(b'{"id":"did:op:1"}'))
    )
    assert await ledger.has_metadata(created.nft)


async def test_a_mint_is_seen_by_its_receiver(ground: Ground) -> None:
    ledger = await ground.ledger()
    created = await create(ledger)
    assert await ledger.minted_wei(created.datatoken, BOB, created.block) == 0
    unsigned = await ledger.prepare_mint(created.datatoken, BOB.lower(), 200 * TOKENS)
    await carry_out(ledger, unsigned)
    assert await ledger.minted_wei(created.datatoken, BOB, created.block) == 200 * TOKENS
    assert await ledger.minted_wei(created.datatoken, BOB.lower(), created.block) == 200 * TOKENS
    assert await ledger.minted_wei(created.datatoken, ALICE, created.block) == 0


async def test_after_the_transfer_the_signer_is_a_stranger(ground: Ground) -> None:
    ledger = await ground.ledger()
    created = await create(ledger)
    await carry_out(ledger, await ledger.prepare_transfer(created.nft, BOB.lower()))
    assert await ledger.nft_owner(created.nft) == BOB
    for forbidden in (
        ledger.prepare_mint(created.datatoken, BOB, 1),
        ledger.prepare_metadata(created.nft, in_clear(b"{}")),
        ledger.prepare_transfer(created.nft, ALICE),
    ):
        with pytest.raises(UserError) as refused:
            await forbidden
        assert refused.value.reason == "WouldRevert"


async def test_an_empty_purse_is_told_before_anything_is_signed(ground: Ground) -> None:
    ledger = await ground.ledger(purse_wei=10)
    assert await ledger.balance_wei() == 10
    with pytest.raises(TransientError) as refused:
        await ledger.prepare_create(publication(), "A model", MarketFee())
    assert refused.value.reason == "PurseEmpty"


async def test_a_purse_emptied_since_is_told_by_sending(ground: Ground) -> None:
    rich, poor = await ground.ledger(), await ground.ledger(purse_wei=10)
    unsigned = await rich.prepare_create(publication(), "A model", MarketFee())
    with pytest.raises(TransientError) as refused:
        await poor.send((await poor.sign(unsigned, 0)).raw)
    assert refused.value.reason == "PurseEmpty"


async def test_anyone_reads_a_creation_by_its_did(ground: Ground) -> None:
    ledger, reader, said = await ground.ledger(), ground.reader(), publication()
    created = await create(ledger, said)
    found = await reader.creation(did_of(created.nft, ledger.chain_id))
    assert found == await ledger.find(said.publication_id)
    assert await reader.nft_owner(created.nft) == ledger.signer
    assert await reader.creation("did:op:" + "0" * 64) is None


async def test_the_first_ddo_stays_what_it_was(ground: Ground) -> None:
    ledger, reader, said = await ground.ledger(), ground.reader(), publication()
    created = await create(ledger, said)
    found = await ledger.find(said.publication_id)
    assert found
    assert await reader.first_ddo(found) is None
    assert await reader.current_ddo(found) is None
    ddos = b'{"first":1}', b'{"second":2}', b'{"third":3}'
    for ddo in ddos:
        await carry_out(ledger, await ledger.prepare_metadata(created.nft, in_clear(ddo)))
        first, current = await reader.first_ddo(found), await reader.current_ddo(found)
        assert first and first.content == ddos[0]
        assert current and (current.content, current.encrypted) == (ddo, False)
        assert current.digest == hashlib.sha256(ddo).hexdigest()


@pytest.mark.parametrize(("flags", "content"), [(1, b'{"a":1}'), (2, b""), (3, b"")])
async def test_a_ddo_is_unpacked_and_an_encrypted_one_is_said_to_be(
    ground: Ground, flags: int, content: bytes
) -> None:
    ledger, reader, said = await ground.ledger(), ground.reader(), publication()
    created = await create(ledger, said)
    packed = Metadata(data=lzma.compress(b'{"a":1}'), digest=b"d" * 32, flags=flags)
    await carry_out(ledger, await ledger.prepare_metadata(created.nft, packed))
    found = await ledger.find(said.publication_id)
    assert found
    ddo = await reader.first_ddo(found)
    assert ddo == SetDDO(content=content, digest=(b"d" * 32).hex(), encrypted=flags > 1)
