"""What fits is told; any single byte that doesn't, wherever it lies, is named."""

from __future__ import annotations

import re

import msgspec
import pytest
from eth_account.messages import SignableMessage

from jobkit.manifest import digest_of, encode_manifest
from posthuman.api.job import InputRecord, Results
from posthuman.errors import NotFound, UserError
from posthuman.receipts.content import Mismatch
from posthuman.receipts.issue import issued
from posthuman.receipts.signed import (
    SignedReceipt,
    encode_signed,
    message_of,
    read_signed,
    typed_data,
)
from posthuman.receipts.verify import Verifier
from tests import builders
from tests.fakes.ledger import FakeReader
from tests.receipts.world import FILES, MANIFEST, PREFIX, RECEIPT, World, signer


@pytest.fixture
async def world() -> World:
    return await World().told()


def flipped(raw: bytes, place: int) -> bytes:
    """The same but for one bit."""
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


async def test_a_receipt_and_its_asset_fit(world: World) -> None:
    by_receipt = await world.verifier().receipt(world.store.objects[RECEIPT])
    assert by_receipt == await world.verifier().asset(world.bob)
    assert (by_receipt.signer, by_receipt.asset) == (signer().address, world.bob)
    assert by_receipt.models == (world.alice,), "the model that answered"
    assert (by_receipt.files, by_receipt.bytes) == (2, sum(map(len, FILES.values())))


async def test_an_upload_has_no_receipt_and_fits(world: World) -> None:
    found = await world.verifier().asset(world.alice)
    assert (found.signer, found.asset, found.files) == ("", world.alice, 1)


async def test_every_byte_of_the_receipt_counts(world: World) -> None:
    """Each other byte either leaves no receipt, or other words than were signed, or another
    signature or signer; the latter two are tried, since a signature fits one message alone."""
    raw = world.store.objects[RECEIPT]
    signed, said = read_signed(raw), message_of(read_signed(raw).receipt)
    tried = 0
    for place in range(len(raw)):
        other = as_written(flipped(raw, place))
        if other and (other.signer, other.signature) == (signed.signer, signed.signature):
            assert fitting_message(other) != said
        elif other:
            tried += 1
            with pytest.raises(Mismatch):
                read_signed(flipped(raw, place))
    assert tried > 60  # each hex digit of the signature and the address that stays one


def fitting_message(signed: SignedReceipt) -> SignableMessage | None:
    try:
        return message_of(signed.receipt)
    except Mismatch:
        return None


def as_written(raw: bytes) -> SignedReceipt | None:
    """What the bytes say, if they are the one form of a receipt."""
    try:
        found = msgspec.json.decode(raw, type=SignedReceipt)
    except msgspec.DecodeError:
        return None
    again = encode_signed(found.receipt, found.signer, found.signature)
    return found if again == raw else None


async def test_what_is_no_receipt_any_more_is_refused(world: World) -> None:
    raw = world.store.objects[RECEIPT]
    places = {match.end() + shift for match in re.finditer(b'":', raw) for shift in (0, 1)}
    for other in (
        *(flipped(raw, place) for place in sorted(places)),  # into each part
        raw + b"\n",
        raw[:-1],
        b"",
        b"[" * 100_000,
        raw.replace(b'"job"', b'"x":1,"job"'),
    ):
        with pytest.raises(Mismatch):
            read_signed(other)


@pytest.mark.parametrize("name", [f"{PREFIX}/{path}" for path in FILES])
async def test_every_byte_in_the_store_counts(world: World, name: str) -> None:
    raw, receipt = world.store.objects[name], world.store.objects[RECEIPT]
    for place in range(len(raw)):
        world.store.objects[name] = flipped(raw, place)
        with pytest.raises(Mismatch, match="store: .*" + name):
            await world.verifier().receipt(receipt)
    del world.store.objects[name]
    with pytest.raises(Mismatch, match=f"{name} is missing"):
        await world.verifier().asset(world.bob)


async def test_every_byte_of_the_manifest_counts(world: World) -> None:
    raw, verifier = world.store.objects[MANIFEST], world.verifier()
    for place in range(len(raw)):
        world.store.objects[MANIFEST] = flipped(raw, place)
        with pytest.raises(Mismatch, match=f"store: {MANIFEST}"):
            await verifier.asset(world.bob)
    with pytest.raises(Mismatch, match=f"store: {MANIFEST}"):
        await world.verifier().receipt(world.store.objects[RECEIPT])
    del world.store.objects[MANIFEST]
    with pytest.raises(Mismatch, match=f"{MANIFEST} is missing"):
        await world.verifier().asset(world.bob)


async def test_without_the_store_it_is_said_what_was_not_checked(world: World) -> None:
    signers = frozenset({world.ledger.signer, signer().address})
    blind = Verifier(FakeReader(world.chain), signers, None)
    raw = world.store.objects[RECEIPT]
    found = await blind.receipt(raw)
    assert (found.signer, found.asset, found.models) == (
        signer().address,
        world.bob,
        (world.alice,),
    )
    assert found.unchecked == ("manifest", "files")
    assert (await blind.asset(world.bob)).unchecked == ("receipt", "manifest", "files")
    assert not (await world.verifier().receipt(raw)).unchecked
    with pytest.raises(Mismatch, match="signature"):
        await blind.receipt(raw.replace(b'"gpuSeconds":12.5', b'"gpuSeconds":13.5'))


async def test_a_publisher_may_be_believed_beside_the_environments_key(world: World) -> None:
    stranger = signer(3).address
    with pytest.raises(Mismatch, match="publisher"):
        await Verifier(FakeReader(world.chain), frozenset({stranger}), world.store).asset(world.bob)
    several = frozenset({stranger, world.ledger.signer, signer().address})
    await Verifier(FakeReader(world.chain), several, world.store).asset(world.bob)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("job", {"job": {"name": "another"}}),
        ("outcome", {"outcome": "Failed"}),
        ("inputs", {"inputs": ()}),
        ("asset", {"asset": ""}),
        ("algorithm", {"algorithm": {"name": "evaluate"}}),
        ("parameters", {"parameters": "sha256:" + "1" * 64}),
        ("outputs", {"outputs": "sha256:" + "1" * 64}),
        ("manifest", {"manifest": "sha256:" + "1" * 64}),
        ("store", {"prefix": "jobs/another"}),
        ("chain", {"chain_id": 1}),
        ("gpuSeconds", {"gpu_seconds": 1.0}),
    ],
)
async def test_parts_that_are_signed_and_do_not_fit_are_named(
    world: World, part: str, change: dict[str, object]
) -> None:
    """Even the environment's own key can't sign what store and chain don't bear out."""
    said = read_signed(world.store.objects[RECEIPT]).receipt
    other = msgspec.structs.replace(said, **change)
    raw = encode_signed(other, signer().address, await signer().sign(typed_data(other)))
    assert read_signed(raw).receipt == other
    world.store.objects[RECEIPT] = raw
    with pytest.raises(
        Mismatch, match="receipt" if part == "asset" else f"^{part}|another manifest"
    ):
        if part == "asset":
            await world.verifier().asset(world.bob)
        else:
            await world.verifier().receipt(raw)


async def test_a_strangers_signature_is_not_believed(world: World) -> None:
    said = read_signed(world.store.objects[RECEIPT]).receipt
    stranger = signer(3)
    raw = encode_signed(said, stranger.address, await stranger.sign(typed_data(said)))
    with pytest.raises(Mismatch, match=f"signer: {stranger.address} is not the environment's key"):
        await world.verifier().receipt(raw)
    claimed = encode_signed(said, signer().address, await stranger.sign(typed_data(said)))
    with pytest.raises(Mismatch, match="signature"):
        await world.verifier().receipt(claimed)


async def test_a_strangers_nft_is_not_believed(world: World) -> None:
    verifier = Verifier(FakeReader(world.chain), frozenset({signer().address}), world.store)
    with pytest.raises(Mismatch, match="publisher"):
        await verifier.asset(world.bob)


async def test_the_other_form_of_a_signature_is_refused(world: World) -> None:
    """Of each signature there is a twin with n - s, which means the same (EIP-2)."""
    signed = read_signed(world.store.objects[RECEIPT])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r, s, v = signed.signature[2:66], int(signed.signature[66:130], 16), signed.signature[130:]
    twin = f"0x{r}{order - s:064x}{'1c' if v == '1b' else '1b'}"
    with pytest.raises(Mismatch, match="low s"):
        read_signed(encode_signed(signed.receipt, signed.signer, twin))


async def test_a_missing_receipt_and_an_unknown_did(world: World) -> None:
    del world.store.objects[RECEIPT]
    with pytest.raises(Mismatch, match=r"receipt: .*receipt\.json is not in the store"):
        await world.verifier().asset(world.bob)
    with pytest.raises(NotFound, match="has no NFT"):
        await world.verifier().asset("did:op:" + "0" * 64)


async def test_nothing_is_signed_for_other_inputs_than_were_accepted(world: World) -> None:
    manifest, digest = await world.store.manifest(PREFIX)
    finished = world.finished(builders.job(), manifest, digest)
    record = msgspec.structs.replace(finished.status.inputs[0], did="did:op:" + "9" * 64)
    status = msgspec.structs.replace(finished.status, inputs=(record,))
    results = status.results
    assert results
    with pytest.raises(UserError, match="not what was accepted"):
        await issued(
            msgspec.structs.replace(finished, status=status), results, manifest, digest, signer()
        )
    with pytest.raises(UserError, match="not the one that was exported"):
        await issued(finished, results, manifest, "sha256:" + "0" * 64, signer())


async def test_data_that_a_provider_sold_is_not_looked_for_among_our_publications(
    world: World,
) -> None:
    """Its DID is somebody else's NFT, or another chain's, and has no manifest here."""
    sold = {"name": "text", "kind": "dataset", "did": "did:op:" + "8" * 64, "sha256": "0" * 64}
    manifest, digest = await world.store.manifest(PREFIX)
    finished = world.finished(builders.job(), manifest, digest)
    wider = msgspec.structs.replace(manifest, inputs=(*manifest.inputs, sold))
    raw = encode_manifest(wider)
    await world.store.put(f"{PREFIX}/manifest.json", raw)
    bought = InputRecord(name="text", kind="dataset", did=sold["did"])
    results = Results(uri="s3://x", prefix=PREFIX, manifest_digest=digest_of(raw))
    status = msgspec.structs.replace(
        finished.status, inputs=(*finished.status.inputs, bought), asset=None, results=results
    )
    job = msgspec.structs.replace(finished, status=status)
    content = await issued(job, results, wider, results.manifest_digest, signer())
    found = await world.verifier().receipt(content)
    assert found.models == (world.alice,)
