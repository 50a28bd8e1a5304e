"""decide() as a table: one world in, one decision out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus, TransactionRecord
from posthuman.api.conditions import find_condition
from posthuman.api.meta import FINALIZER, Condition
from posthuman.assets.decide import decide
from posthuman.assets.did import did_of
from posthuman.assets.observed import (
    AddFinalizer,
    ChainFacts,
    Decision,
    DropFinalizer,
    Observed,
    Problem,
    Release,
    Send,
    SignCreate,
    SignMetadata,
    SignMint,
    SignTransfer,
)
from posthuman.assets.publication_id import publication_id
from posthuman.ports import CreatedNFT, MarketFee, Publication, Receipt
from tests.assets.world import DIGEST, MANIFEST, PARENT, REWARD_WEI, model_asset
from tests.builders import ALICE, BOB, CHAIN, NOW, environment

SIGNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
DATATOKEN = "0x06B1D212B8da92b83AF328De5eef4E211Da02097"
PUBLICATION = Publication(
    publication_id=publication_id(model_asset(), 8996), parents=(PARENT,), manifest_digest=DIGEST
)
CREATION = CreatedNFT(
    publication=PUBLICATION,
    nft=NFT,
    datatoken=DATATOKEN,
    hash="0xcafe",
    block=3,
    creator=SIGNER,
    nonce=5,
)
PUBLISHED = Condition(type="Published", status="True", reason="Published")


def record(step: str, block: int = 0, raw: str = "0xraw") -> TransactionRecord:
    """Unconfirmed unless it has a block."""
    return TransactionRecord(
        step=step, nonce=5, hash=f"0x{step}", raw="" if block else raw, block=block
    )


def receipt(step: str = "create", succeeded: bool = True, confirmations: int = 1) -> Receipt:
    return Receipt(
        hash=f"0x{step}",
        block=9,
        succeeded=succeeded,
        confirmations=confirmations,
        nft=NFT if step == "create" else "",
        datatoken=DATATOKEN if step == "create" else "",
    )


def created(*records: TransactionRecord, **changes: Any) -> AssetStatus:
    """A status whose NFT is on chain."""
    status = AssetStatus(
        publication_id=PUBLICATION.publication_id,
        nft=NFT,
        datatoken=DATATOKEN,
        chain_id=8996,
        transactions=(record("create", block=4), *records),
    )
    return msgspec.structs.replace(status, **changes)


def seen(
    status: AssetStatus | None = None,
    finalizer: bool = True,
    deleted: bool = False,
    spec: dict[str, Any] | None = None,
    chain: dict[str, Any] | None = None,
    **observed: Any,
) -> Observed:
    """A world where everything can be reached and nothing is on chain yet."""
    asset = model_asset(**(spec or {}))
    meta = msgspec.structs.replace(
        asset.metadata,
        finalizers=(FINALIZER,) if finalizer else (),
        deletion_timestamp="2026-01-01T12:00:00Z" if deleted else None,
    )
    asset = msgspec.structs.replace(asset, metadata=meta, status=status or AssetStatus())
    world = Observed(
        asset=asset,
        environment=environment(chain={**CHAIN, **(chain or {})}),
        signer=SIGNER,
        manifest=MANIFEST,
        manifest_digest=DIGEST,
        facts=ChainFacts(owner=SIGNER),
    )
    return msgspec.structs.replace(world, **observed)


def reason(decision: Decision, kind: str = "Published") -> str:
    found = find_condition(decision.status.conditions, kind)
    return found.reason if found else ""


def test_before_a_nonce_is_reserved_the_finalizer_is_set_and_nothing_else_happens() -> None:
    decision = decide(seen(finalizer=False), NOW)
    assert decision.actions == (AddFinalizer(),)
    assert decision.status == AssetStatus()


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
    status = AssetStatus(transactions=(record("create"),))
    decision = decide(seen(status), NOW)
    assert decision.actions == (Send("0xraw"),)
    assert decision.status.transactions == status.transactions
    assert reason(decision) == "Sending"


@pytest.mark.parametrize(
    ("waited_seconds", "asked_again_after"), [(0, 0.1), (4, 1), (12, 3), (3600, 5)]
)
def test_a_slow_chain_is_asked_seldom(waited_seconds: float, asked_again_after: float) -> None:
    status = AssetStatus(transactions=(record("create"),))
    decision = decide(seen(status, waited_seconds=waited_seconds), NOW)
    assert decision.requeue_after_seconds == asked_again_after


def test_confirmations_are_waited_for_and_counted() -> None:
    status = AssetStatus(transactions=(record("create"),))
    decision = decide(seen(status, chain={"confirmations": 3}, receipt=receipt()), NOW)
    assert decision.actions == ()
    assert decision.status.transactions == status.transactions
    found = find_condition(decision.status.conditions, "Published")
    assert found
    assert (found.reason, found.status) == ("Confirming", "False")
    assert found.message == "create: waiting for confirmations 1/3"


def test_a_confirmed_creation_gives_the_asset_its_names() -> None:
    status = AssetStatus(transactions=(record("create"),))
    decision = decide(seen(status, receipt=receipt(), held=frozenset({"create"})), NOW)
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
    assert DIGEST.encode() in action.ddo


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
    decision = decide(seen(status, held=frozenset({"transfer"})), NOW)
    assert decision.actions == (Release(frozenset({"transfer"})), DropFinalizer())


def test_a_step_that_a_crash_left_reserved_is_released_before_the_next() -> None:
    decision = decide(seen(created(), held=frozenset({"create"})), NOW)
    assert decision.actions == (Release(frozenset({"create"})),)
    assert decision.requeue_after_seconds == 0


def test_a_reverted_transaction_is_forgotten_and_its_nonce_released() -> None:
    status = created(record("metadata"))
    decision = decide(seen(status, receipt=receipt("metadata", succeeded=False)), NOW)
    assert decision.actions == (Release(frozenset({"metadata"})),)
    assert [found.step for found in decision.status.transactions] == ["create"]
    assert reason(decision) == "Reverted"


def test_a_taken_nonce_is_told_and_nothing_signed_anew() -> None:
    status = created(record("mint"))
    decision = decide(seen(status, mined_nonce=6, facts=ChainFacts(owner=SIGNER)), NOW)
    assert decision.actions == ()
    assert decision.status.transactions == status.transactions
    assert reason(decision) == "NonceTaken"


def test_an_own_transaction_from_before_a_restore_is_recognised() -> None:
    facts = ChainFacts(owner=SIGNER, has_metadata=True, minted_wei=REWARD_WEI)
    decision = decide(seen(created(record("mint")), mined_nonce=6, facts=facts), NOW)
    assert decision.actions == (Release(frozenset({"mint"})),)
    assert [found.step for found in decision.status.transactions] == ["create"]


def test_an_own_creation_from_before_a_restore_is_adopted() -> None:
    status = AssetStatus(transactions=(record("create"),))
    decision = decide(seen(status, mined_nonce=6, facts=ChainFacts(creation=CREATION)), NOW)
    assert [found.hash for found in decision.status.transactions] == ["0xcafe"]


def test_an_adopted_creation_that_a_reorganisation_removed_is_forgotten() -> None:
    decision = decide(seen(AssetStatus(transactions=(record("create", raw=""),))), NOW)
    assert decision.status.transactions == ()
    assert decision.actions == ()


def test_trouble_becomes_a_sentence_and_is_looked_at_again() -> None:
    trouble = Problem("ChainUnreachable", "the node can't be reached", 5.0)
    decision = decide(seen(problem=trouble), NOW)
    ready = find_condition(decision.status.conditions, "Ready")
    assert ready
    assert (ready.status, ready.reason) == ("False", "ChainUnreachable")
    assert ready.message == "the node can't be reached"
    assert decision.requeue_after_seconds == 5.0
    assert decision.actions == ()


def test_a_refusal_is_told_before_any_trouble() -> None:
    trouble = Problem("ChainUnreachable", "the node can't be reached", 5.0)
    spec = {"jobUid": "", "reward": None}
    decision = decide(seen(problem=trouble, spec=spec, finalizer=False), NOW)
    assert reason(decision, "Accepted") == "UploadNotOwned"
    assert reason(decision, "Ready") == "UploadNotOwned"
    assert decision.actions == ()


def test_what_has_begun_is_not_reviewed_again() -> None:
    """A tenant struck from the list doesn't leave a transaction hanging."""
    status = created(record("metadata"))
    decision = decide(seen(status, spec={"jobUid": ""}), NOW)
    assert decision.actions == (Send("0xraw"),)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ({"manifest_digest": "sha256:" + "e" * 64}, "ManifestMismatch"),
        ({"manifest": msgspec.structs.replace(MANIFEST, outcome="Stopped")}, "SourceFailed"),
        ({"manifest": msgspec.structs.replace(MANIFEST, files=())}, "NoModel"),
    ],
)
def test_nothing_is_signed_for_files_that_are_not_those(
    observed: dict[str, Any], expected: str
) -> None:
    decision = decide(seen(**observed), NOW)
    assert decision.actions == ()
    assert reason(decision, "Accepted") == expected


def test_a_deleted_asset_that_holds_nothing_goes() -> None:
    assert decide(seen(deleted=True), NOW).actions == (Release(frozenset()), DropFinalizer())
    assert decide(seen(deleted=True, finalizer=False), NOW).actions == ()


def test_a_deleted_asset_first_uses_the_nonce_that_it_holds() -> None:
    holding = seen(deleted=True, held=frozenset({"create"}))
    (action,) = decide(holding, NOW).actions
    assert isinstance(action, SignCreate)
    sending = seen(AssetStatus(transactions=(record("create"),)), deleted=True)
    assert decide(sending, NOW).actions == (Send("0xraw"),)


def test_a_deleted_asset_begins_nothing_new() -> None:
    between = seen(created(), deleted=True, held=frozenset({"create"}))
    assert decide(between, NOW).actions == (Release(frozenset({"create"})), DropFinalizer())


def test_a_deleted_asset_waits_while_its_nonces_cant_be_read() -> None:
    trouble = Problem("SecretNotFound", "there is no Secret", 30.0)
    decision = decide(seen(deleted=True, problem=trouble), NOW)
    assert decision.actions == ()
    assert reason(decision) == "SecretNotFound"
    assert decision.requeue_after_seconds == 30.0


def test_a_deleted_asset_whose_environment_is_gone_goes_too() -> None:
    trouble = Problem("EnvironmentNotFound", "gone", 30.0)
    decision = decide(seen(deleted=True, problem=trouble, environment=None), NOW)
    assert DropFinalizer() in decision.actions


def test_deciding_again_changes_nothing() -> None:
    first = decide(seen(AssetStatus(transactions=(record("create"),))), NOW)
    assert decide(seen(first.status), NOW) == first
