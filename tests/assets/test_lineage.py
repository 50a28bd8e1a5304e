"""A lineage is read from the chain; the store and strangers can't bend it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from jobkit.manifest import MANIFEST_NAME, Manifest, digest_of, encode_manifest
from posthuman.assets.ddo import in_clear
from posthuman.assets.did import did_of
from posthuman.assets.lineage import Ancestor, Tracer, recorded
from posthuman.assets.lineage_svg import lineage_svg
from posthuman.assets.lineage_tree import lineage_tree
from posthuman.assets.lineage_words import everyone, unchecked
from posthuman.chain import MarketFee, Publication, UnsignedTransaction
from posthuman.errors import NotFound
from tests.assets.world import MANIFEST
from tests.builders import ALICE, BOB
from tests.fakes.ledger import CHAIN_ID, FakeChain, FakeLedger, FakeReader
from tests.fakes.result_store import FakeResultStore

ALGORITHM = "sha256:" + 64 * "b"


class Family:
    """Publications on one chain, their files in one store."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.store = FakeResultStore()
        self.operator = FakeLedger(self.chain)

    def tracer(self, with_store: bool = True, *trusted: str) -> Tracer:
        publishers = frozenset({self.operator.signer.lower(), *trusted})
        return Tracer(FakeReader(self.chain), publishers, self.store if with_store else None)

    async def publish(
        self,
        name: str,
        *parents: str,
        owner: str = BOB,
        by: FakeLedger | None = None,
        trained_from: Sequence[str] | None = None,
    ) -> str:
        """The new asset's DID; its files lie below jobs/<name>. Honest unless `trained_from`."""
        ledger = by or self.operator
        raw = encode_manifest(_manifest(name, parents if trained_from is None else trained_from))
        self.store.objects[f"jobs/{name}/{MANIFEST_NAME}"] = raw
        said = Publication(publication_id=name, parents=parents, manifest_digest=digest_of(raw))
        await self._send(ledger, await ledger.prepare_create(said, name, MarketFee()))
        found = await ledger.find(name)
        assert found
        await self._send(
            ledger, await ledger.prepare_metadata(found.nft, in_clear(_ddo(f"jobs/{name}")))
        )
        await self._send(ledger, await ledger.prepare_transfer(found.nft, owner))
        return did_of(found.nft, CHAIN_ID)

    async def _send(self, ledger: FakeLedger, unsigned: UnsignedTransaction) -> None:
        await ledger.send((await ledger.sign(unsigned, (await ledger.nonces()).pending)).raw)


def _manifest(name: str, models: Sequence[str]) -> Manifest:
    """Of a training; of an upload if there are no models."""
    kept = {"name": "model", "kind": "model", "manifestDigest": "sha256:" + "d" * 64}
    inputs = tuple({**kept, "did": did} for did in models)
    algorithm = {"name": "train", "version": "1", "digest": ALGORITHM} if models else {}
    return msgspec.structs.replace(MANIFEST, created_at=name, inputs=inputs, algorithm=algorithm)


def _ddo(prefix: str) -> bytes:
    facts = {"additionalInformation": {"posthuman": {"prefix": prefix}}}
    return json.dumps({"metadata": facts}).encode()


def drawn(found: Ancestor) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(lineage_tree(found))
    return captured.get()


async def test_three_generations_are_told_with_what_was_checked() -> None:
    family = Family()
    alice = await family.publish("gpt2", owner=ALICE)
    bob = await family.publish("bob-trains", alice)
    charlie = await family.publish("charlie-trains", bob)
    found = await family.tracer().trace(charlie)
    line = [found, found.parents[0], found.parents[0].parents[0]]
    names = [(ancestor.name, ancestor.owner) for ancestor in line]
    assert names == [("charlie-trains", BOB), ("bob-trains", BOB), ("gpt2", ALICE)]
    assert {ancestor.store for ancestor in line} == {"matches"}
    assert [ancestor.metrics for ancestor in line] == [MANIFEST.metrics] * 3
    assert [found.algorithm.get("digest") for found in line] == [ALGORITHM, ALGORITHM, None]
    assert not unchecked(found)
    assert not line[-1].parents


async def test_without_a_store_the_chain_alone_tells() -> None:
    family = Family()
    alice = await family.publish("gpt2")
    found = await family.tracer(with_store=False).trace(await family.publish("bob", alice))
    assert [parent.did for parent in found.parents] == [alice]
    assert found.store == "not checked"
    assert unchecked(found).startswith("not checked for 2 of 2 assets (2 files not checked)")


async def test_other_files_in_the_store_are_told() -> None:
    family = Family()
    did = await family.publish("gpt2")
    family.store.objects[f"jobs/gpt2/{MANIFEST_NAME}"] = encode_manifest(MANIFEST)
    found = await family.tracer().trace(did)
    assert found.store == "differs"
    assert not found.metrics


async def test_bytes_that_are_no_manifest_differ_too() -> None:
    family = Family()
    did = await family.publish("gpt2")
    family.store.objects[f"jobs/gpt2/{MANIFEST_NAME}"] = b"?"
    assert (await family.tracer().trace(did)).store == "differs"


async def test_a_store_that_is_away_is_told() -> None:
    family = Family()
    did = await family.publish("gpt2")
    family.store.unavailable = True
    assert (await family.tracer().trace(did)).store == "unreachable"
    family.store.unavailable = False
    family.store.objects.clear()
    assert (await family.tracer().trace(did)).store == "missing"


async def test_a_strangers_claim_is_shown_and_never_followed() -> None:
    family = Family()
    alice = await family.publish("gpt2")
    stranger = FakeLedger(family.chain, "stranger")
    found = await family.tracer().trace(await family.publish("mine-too", alice, by=stranger))
    assert found.problem == f"unknown publisher {stranger.signer}"
    assert found.store == "not checked"
    assert found.claimed == (alice,)
    assert not found.parents
    assert f"claims the parent {alice}: not followed" in drawn(found)


async def test_a_publisher_that_is_trusted_is_followed() -> None:
    family = Family()
    alice = await family.publish("gpt2")
    other = FakeLedger(family.chain, "other")
    did = await family.publish("theirs", alice, by=other)
    found = await family.tracer(True, other.signer).trace(did)
    assert not found.problem
    assert [parent.did for parent in found.parents] == [alice]


async def test_a_parent_it_was_never_trained_from_is_forged() -> None:
    family = Family()
    base = await family.publish("gpt2")
    alice = await family.publish("alice-trains", base)
    mine = await family.publish("mine", base)
    found = await family.tracer().trace(
        await family.publish("fame", alice, mine, trained_from=[mine])
    )
    forged, true = found.parents
    assert forged.problem == "forged parent: not among the inputs that the manifest records"
    assert not forged.parents
    assert not true.problem
    assert true.parents


async def test_without_its_manifest_a_claim_is_followed_and_said_to_be_unchecked() -> None:
    family = Family()
    base = await family.publish("gpt2")
    did = await family.publish("fame", base, trained_from=[])
    found = await family.tracer(with_store=False).trace(did)
    assert not found.parents[0].problem
    assert "whether they were trained from the parents that they claim" in unchecked(found)


async def test_data_that_a_provider_sold_is_no_parent() -> None:
    """It has a DID, and no manifest of ours: nobody here has its custody."""
    sold = {"name": "text", "kind": "dataset", "did": "did:op:" + "8" * 64, "sha256": "0" * 64}
    manifest = _manifest("sold", [])
    assert recorded(msgspec.structs.replace(manifest, inputs=(sold,))) == ()
    family = Family()
    base = await family.publish("gpt2")
    inputs = (*_manifest("sold", [base]).inputs, sold)
    assert recorded(msgspec.structs.replace(manifest, inputs=inputs)) == (base,)


async def test_a_parent_that_the_chain_leaves_out_is_told() -> None:
    family = Family()
    base = await family.publish("gpt2")
    found = await family.tracer().trace(await family.publish("orphan", trained_from=[base]))
    assert found.unsaid == (base,)
    assert f"made from {base} too, which the chain doesn't name" in drawn(found)


async def test_shared_ancestors_are_told_once() -> None:
    family = Family()
    left = right = await family.publish("base")
    for generation in range(40):  # 2**40 lines, if each were told again
        children = (f"left-{generation}", f"right-{generation}")
        left, right = [await family.publish(name, left, right) for name in children]
    found = await family.tracer().trace(left)
    assert len(list(everyone(found))) < 200
    assert "its parents are shown where it stands first" in drawn(found)


async def test_a_stranger_as_a_parent_ends_that_branch_alone() -> None:
    family = Family()
    stranger = FakeLedger(family.chain, "stranger")
    foreign = await family.publish("foreign", by=stranger)
    alice = await family.publish("gpt2")
    found = await family.tracer().trace(await family.publish("merged", foreign, alice))
    assert [bool(parent.problem) for parent in found.parents] == [True, False]


async def test_a_parent_that_is_on_no_chain_is_told() -> None:
    family = Family()
    absent = "did:op:" + "7" * 64
    found = await family.tracer().trace(await family.publish("bob", absent))
    assert [parent.problem for parent in found.parents] == ["not on chain 8996"]


async def test_a_circle_ends() -> None:
    family = Family()
    did = await family.publish("one")
    (nft,) = family.chain.nfts.values()
    said = msgspec.structs.replace(nft.creation.publication, parents=(did,))
    nft.creation = msgspec.structs.replace(nft.creation, publication=said)
    found = await family.tracer().trace(did)
    assert found.parents[0].problem == "names itself as an ancestor"


async def test_an_unknown_did_is_not_found() -> None:
    with pytest.raises(NotFound, match="did:op:0"):
        await Family().tracer().trace("did:op:" + "0" * 64)


async def test_the_tree_shows_names_owners_and_doubts() -> None:
    family = Family()
    alice = await family.publish("gpt2", owner=ALICE)
    stranger = FakeLedger(family.chain, "stranger")
    foreign = await family.publish("foreign", by=stranger)
    found = await family.tracer().trace(await family.publish("bob-trains", alice, foreign))
    told = drawn(found)
    assert told.index("bob-trains") < told.index("gpt2") < told.index("foreign")
    assert f"owner {ALICE}" in told
    assert "files in the store match the chain, loss 2.5000" in told
    assert "unknown publisher" in told


EVIL_NAME = "a<script>&\x1b[2J\n\x00\u202eb"


async def test_the_picture_shows_each_asset_and_escapes_what_it_is_told() -> None:
    family = Family()
    alice = await family.publish(EVIL_NAME, owner=ALICE)
    stranger = FakeLedger(family.chain, "stranger")
    foreign = await family.publish("foreign", by=stranger)
    found = await family.tracer().trace(await family.publish("bob", alice, foreign))
    root = ElementTree.fromstring(lineage_svg(found))
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<script>&\ufffd[2J\ufffd\ufffd\ufffdb" in texts
    assert {alice, foreign, found.did} <= set(texts)
    assert any(ALGORITHM in text for text in texts)
    assert any("unknown publisher" in text for text in texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 2


async def test_the_pictures_boxes_lie_beside_each_other() -> None:
    family = Family()
    bases = [await family.publish(f"base-{number}") for number in range(3)]
    middle = await family.publish("middle", *bases[:2])
    found = await family.tracer().trace(await family.publish("newest", middle, bases[2]))
    root = ElementTree.fromstring(lineage_svg(found))
    frames = [
        tuple(float(frame.attrib[name]) for name in ("x", "y", "width", "height"))
        for frame in root.iter("{http://www.w3.org/2000/svg}rect")
        if "x" in frame.attrib
    ]
    assert len(frames) == 5
    for one, other in combinations(frames, 2):
        apart_x = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
        apart_y = one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1]
        assert apart_x or apart_y
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        right = float(text.attrib["x"]) + 7.2 * len(text.text or "")
        inside = [x + width for x, _y, width, _height in frames if x < float(text.attrib["x"])]
        assert not text.text or right <= max(inside)
    assert max(y + height for _x, y, _width, height in frames) <= float(root.attrib["height"])


async def test_a_name_from_outside_steers_no_terminal() -> None:
    family = Family()
    found = await family.tracer().trace(await family.publish(EVIL_NAME))
    assert "\x1b" not in drawn(found)
    assert "\u202e" not in drawn(found)
