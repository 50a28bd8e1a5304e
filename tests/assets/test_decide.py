"""decide() as a table: one world in, one decision out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus, TransactionRecord
from posthuman.api.conditions import find_condition
from posthuman.assets.decide import decide
from posthuman.assets.did import did_of
from posthuman.assets.observed import (
    AddFinalizer,
    ChainFacts,
    DropFinalizer,
    Release,
    Send,
    SignCreate,
    SignMetadata,
    SignMint,
    SignTransfer,
)
from posthuman.chain import MarketFee
from tests.assets.sights import (
    CREATION,
    DATATOKEN,
    EPOCH,
    NFT,
    PUBLICATION,
    PUBLISHED,
    SIGNER,
    created,
    reason,
    receipt,
    record,
    seen,
)
from tests.assets.world import DIGEST, REWARD_WEI
from tests.builders import ALICE, BOB, NOW


def test_before_a_nonce_is_reserved_the_finalizer_is_set_and_nothing_else_happens() -> None:
    decision = decide(seen(finalizer=False), NOW)
    assert decision.actions == (AddFinalizer(),)
    assert decision.status == AssetStatus(epoch=EPOCH)


def test_the_nft_is_created_first() -> None:
    decision = decide(seen(), NOW)
    assert decision.actions == (SignCreate(PUBLICATION, "GPT-2 on WikiText-2", MarketFee()),)
    assert decision.status.publication_id == PUBLICATION.publication_id
    assert reason(decision, "Accepted") == "Accepted"


def test_the_environments_market_fee_is_in_the_creation() -> None:
    fee = {"address": ALICE, "token": DATATOKEN, "amount": "0.5"}
    (action,) = decide(seen(chain={"marketFee": fee}), NOW).actions
    assert isinstance(action, SignCreate)
    assert action.market_fee == MarketFee(address=ALICE, token=DATATOKEN, amount="0.5")


def test_an_nft_found_on_chain_is_adopted_not_made_again() -> None:
    decision = decide(seen(facts=ChainFacts(creation=CREATION)), NOW)
    assert decision.actions == ()
    assert decision.status.transactions == (
        TransactionRecord(step="create", nonce=5, hash="0xcafe"),
    )


@pytest.mark.parametrize("change", [{"manifest_digest": "sha256:0"}, {"parents": ()}])
def test_an_nft_that_speaks_of_other_files_is_never_adopted(change: dict[str, Any]) -> None:
    said = msgspec.structs.replace(PUBLICATION, **change)
    creation = msgspec.structs.replace(CREATION, publication=said)
    decision = decide(seen(facts=ChainFacts(creation=creation)), NOW)
    assert decision.actions == ()
    assert decision.status.transactions == ()
    assert reason(decision, "Accepted") == "PublicationIdTaken"


def test_stored_bytes_are_sent_until_there_is_a_receipt() -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status), NOW)
    assert decision.actions == (Send("0xraw"),)
    assert decision.status.transactions == status.transactions
    assert reason(decision) == "Sending"


@pytest.mark.parametrize(
    ("waited_seconds", "asked_again_after"), [(0, 0.1), (4, 1), (12, 2), (3600, 2)]
)
def test_a_slow_chain_is_asked_seldom(waited_seconds: float, asked_again_after: float) -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status, waited_seconds=waited_seconds), NOW)
    assert decision.requeue_after_seconds == asked_again_after


def test_confirmations_are_waited_for_and_counted() -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status, chain={"confirmations": 3}, receipt=receipt()), NOW)
    assert decision.actions == ()
    assert decision.status.transactions == status.transactions
    found = find_condition(decision.status.conditions, "Published")
    assert found
    assert (found.reason, found.status) == ("Confirming", "False")
    assert found.message == "create: waiting for confirmations 1/3"


def test_a_confirmed_creation_gives_the_asset_its_names() -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status, receipt=receipt(), held={"create": 5}), NOW)
    assert decision.actions == (Release(frozenset({"create"})),)
    assert decision.status.transactions == (
        TransactionRecord(step="create", nonce=5, hash="0xcreate", block=9),
    )
    assert (decision.status.nft, decision.status.datatoken) == (NFT, DATATOKEN)
    assert decision.status.did == did_of(NFT, 8996)
    assert decision.requeue_after_seconds == 0


def test_the_metadata_comes_second() -> None:
    (action,) = decide(seen(created()), NOW).actions
    assert isinstance(action, SignMetadata)
    assert action.nft == NFT
    assert DIGEST in json.dumps(action.ddo)


def test_the_reward_is_minted_third() -> None:
    decision = decide(seen(created(record("metadata", block=5))), NOW)
    assert decision.actions == (SignMint(DATATOKEN, BOB, REWARD_WEI),)


def test_the_nft_goes_to_its_owner_last() -> None:
    status = created(record("metadata", block=5), record("mint", block=6))
    assert decide(seen(status), NOW).actions == (SignTransfer(NFT, BOB),)


@pytest.mark.parametrize("reward", [None, {"to": BOB, "amount": "0"}])
def test_without_a_reward_nothing_is_minted(reward: Any) -> None:
    status = created(record("metadata", block=5))
    assert decide(seen(status, spec={"reward": reward}), NOW).actions == (SignTransfer(NFT, BOB),)


def test_the_signers_own_asset_is_published_by_its_metadata() -> None:
    spec = {"owner": SIGNER.lower(), "reward": None}
    status = created(record("metadata"))
    decision = decide(seen(status, spec=spec, receipt=receipt("metadata")), NOW)
    assert reason(decision, "Ready") == "Published"
    assert DropFinalizer() in decision.actions


def test_what_the_chain_says_is_done_is_not_done_again() -> None:
    facts = ChainFacts(owner=SIGNER, has_metadata=True, minted_wei=REWARD_WEI)
    assert decide(seen(created(), facts=facts), NOW).actions == (SignTransfer(NFT, BOB),)
    facts = msgspec.structs.replace(facts, owner=BOB)
    decision = decide(seen(created(), facts=facts), NOW)
    assert reason(decision, "Published") == "Published"


@pytest.mark.parametrize("minted_wei", [1, REWARD_WEI - 1, REWARD_WEI + 1])
def test_another_amount_than_the_reward_is_never_added_to(minted_wei: int) -> None:
    facts = ChainFacts(owner=SIGNER, has_metadata=True, minted_wei=minted_wei)
    decision = decide(seen(created(), facts=facts), NOW)
    assert decision.actions == ()
    assert reason(decision) == "MintMismatch"


def test_what_an_owner_minted_since_does_not_unpublish_it() -> None:
    """A restore loses the status after Bob minted more of his tokens himself."""
    facts = ChainFacts(owner=BOB, has_metadata=True, minted_wei=REWARD_WEI + 50)
    decision = decide(seen(created(), facts=facts), NOW)
    assert reason(decision, "Ready") == "Published"
    assert not any(isinstance(action, SignMint) for action in decision.actions)


def test_the_transfer_ends_the_publication() -> None:
    status = created(
        record("metadata", block=5), record("mint", block=6), record("transfer"), did="did:op:1"
    )
    decision = decide(seen(status, receipt=receipt("transfer")), NOW)
    assert decision.actions == (Release(frozenset({"transfer"})), DropFinalizer())
    assert decision.status.published_at == "2026-01-01T12:00:00Z"
    ready = find_condition(decision.status.conditions, "Ready")
    assert ready
    assert (ready.status, ready.message) == ("True", "published as did:op:1")


def test_a_published_asset_is_left_alone() -> None:
    status = created(conditions=(PUBLISHED,))
    decision = decide(seen(status, finalizer=False), NOW)
    assert (decision.actions, decision.requeue_after_seconds) == ((), None)
    assert decision.status == status


def test_a_published_asset_gives_up_what_a_crash_left() -> None:
    status = created(conditions=(PUBLISHED,))
    decision = decide(seen(status, held={"transfer": 5}), NOW)
    assert decision.actions == (Release(frozenset({"transfer"})), DropFinalizer())


def test_a_step_that_a_crash_left_reserved_is_released_before_the_next() -> None:
    decision = decide(seen(created(), held={"create": 5}), NOW)
    assert decision.actions == (Release(frozenset({"create"})),)
    assert decision.requeue_after_seconds == 0
