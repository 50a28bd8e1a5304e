"""A lineage is read from the chain; the store and strangers can't bend it."""

from __future__ import annotations

import json

import msgspec
import pytest
from rich.console import Console

from jobkit.manifest import MANIFEST_NAME, digest_of, encode_manifest
from posthuman.assets.did import did_of
from posthuman.assets.lineage import Tracer
from posthuman.assets.lineage_tree import lineage_tree
from posthuman.errors import NotFound
from posthuman.ports import MarketFee, Publication, UnsignedTransaction
from tests.assets.world import MANIFEST
from tests.builders import ALICE, BOB
from tests.fakes.ledger import CHAIN_ID, FakeChain, FakeLedger, FakeReader
from tests.fakes.result_store import FakeResultStore


class Family:
    """Publications on one chain, their files in one store."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.store = FakeResultStore()
        self.operator = FakeLedger(self.chain)

    def tracer(self, with_store: bool = True) -> Tracer:
        publishers = frozenset({self.operator.signer.lower()})
        return Tracer(FakeReader(self.chain), publishers, self.store if with_store else None)

    async def publish(
        self, name: str, *parents: str, owner: str = BOB, by: FakeLedger | None = None
    ) -> str:
        """The new asset's DID; its files lie below jobs/<name>."""
        ledger = by or self.operator
        raw = encode_manifest(msgspec.structs.replace(MANIFEST, created_at=name))
        self.store.objects[f"jobs/{name}/{MANIFEST_NAME}"] = raw
        said = Publication(publication_id=name, parents=parents, manifest_digest=digest_of(raw))
        await self._send(ledger, await ledger.prepare_create(said, name, MarketFee()))
        found = await ledger.find(name)
        assert found
        await self._send(ledger, await ledger.prepare_metadata(found.nft, _ddo(f"jobs/{name}")))
        await self._send(ledger, await ledger.prepare_transfer(found.nft, owner))
        return did_of(found.nft, CHAIN_ID)

    async def _send(self, ledger: FakeLedger, unsigned: UnsignedTransaction) -> None:
        await ledger.send(ledger.sign(unsigned, (await ledger.nonces()).pending).raw)


def _ddo(prefix: str) -> bytes:
    facts = {"additionalInformation": {"posthuman": {"prefix": prefix}}}
    return json.dumps({"metadata": facts}).encode()


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
    assert not line[-1].parents


async def test_without_a_store_the_chain_alone_tells() -> None:
    family = Family()
    alice = await family.publish("gpt2")
    found = await family.tracer(with_store=False).trace(await family.publish("bob", alice))
    assert [parent.did for parent in found.parents] == [alice]
    assert found.store == "not checked"


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
    assert not found.parents


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
    console = Console(width=200)
    with console.capture() as captured:
        console.print(lineage_tree(found))
    told = captured.get()
    assert told.index("bob-trains") < told.index("gpt2") < told.index("foreign")
    assert f"owner {ALICE}" in told
    assert "files in the store match the chain, loss 2.5000" in told
    assert "unknown publisher" in told
