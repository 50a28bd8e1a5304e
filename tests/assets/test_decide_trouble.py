"""decide() where something is wrong, or the asset is on its way out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus
from posthuman.api.conditions import find_condition
from posthuman.assets.decide import decide
from posthuman.assets.observed import (
    ChainFacts,
    DropFinalizer,
    Fill,
    Problem,
    Release,
    Send,
)
from posthuman.chain import SignerNonces, Spent
from tests.assets.sights import (
    CREATION,
    EPOCH,
    SIGNER,
    created,
    reason,
    receipt,
    record,
    seen,
)
from tests.assets.world import MANIFEST, REWARD_WEI
from tests.builders import CHAIN, NOW, environment

SPENT = SignerNonces(settled=6, mined=6, pending=6)


def test_a_reverted_transaction_is_forgotten_and_its_nonce_released() -> None:
    status = created(record("metadata"))
    decision = decide(seen(status, receipt=receipt("metadata", succeeded=False)), NOW)
    assert decision.actions == (Release(frozenset({"metadata"})),)
    assert [found.step for found in decision.status.transactions] == ["create"]
    assert reason(decision) == "Reverted"


def test_a_taken_nonce_is_told_and_nothing_signed_anew_until_that_is_settled() -> None:
    status, facts = created(record("mint")), ChainFacts(owner=SIGNER)
    spent = Spent(hash="0xstranger", confirmations=1)
    taken = seen(status, nonces=SPENT, facts=facts, spent=spent, chain={"confirmations": 2})
    decision = decide(taken, NOW)
    assert decision.actions == ()
    assert decision.status.transactions == status.transactions
    assert reason(decision) == "NonceTaken"
    decision = decide(msgspec.structs.replace(taken, environment=environment(chain=CHAIN)), NOW)
    assert [found.step for found in decision.status.transactions] == ["create"]
    assert decision.actions == ()


@pytest.mark.parametrize("spent", [None, Spent(hash="0xmint", confirmations=9)])
def test_a_node_that_has_no_receipt_of_what_it_mined_is_waited_for(spent: Spent | None) -> None:
    status = created(record("mint"))
    waiting = seen(status, nonces=SPENT, facts=ChainFacts(owner=SIGNER), spent=spent)
    decision = decide(waiting, NOW)
    assert decision.status.transactions == status.transactions
    assert reason(decision) == "NodeLags"


def test_gaps_before_a_transaction_are_filled_before_it_is_sent_again() -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status, gaps=frozenset({3, 4})), NOW)
    assert decision.actions == (Fill(frozenset({3, 4})),)


def test_an_own_transaction_from_before_a_restore_is_recognised() -> None:
    facts = ChainFacts(owner=SIGNER, has_metadata=True, minted_wei=REWARD_WEI)
    decision = decide(seen(created(record("mint")), nonces=SPENT, facts=facts), NOW)
    assert decision.actions == (Release(frozenset({"mint"})),)
    assert [found.step for found in decision.status.transactions] == ["create"]


def test_an_own_creation_from_before_a_restore_is_adopted() -> None:
    status = AssetStatus(epoch=EPOCH, transactions=(record("create"),))
    decision = decide(seen(status, nonces=SPENT, facts=ChainFacts(creation=CREATION)), NOW)
    assert [found.hash for found in decision.status.transactions] == ["0xcafe"]


def test_an_adopted_creation_that_a_reorganisation_removed_is_forgotten() -> None:
    decision = decide(seen(AssetStatus(epoch=EPOCH, transactions=(record("create", raw=""),))), NOW)
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


def test_a_deleted_asset_first_uses_up_the_nonce_that_it_holds() -> None:
    holding = seen(deleted=True, held={"create": 5})
    assert decide(holding, NOW).actions == (Fill(frozenset({5})),)
    in_the_pool = SignerNonces(settled=5, mined=5, pending=6)
    assert decide(msgspec.structs.replace(holding, nonces=in_the_pool), NOW).actions == ()
    done = decide(msgspec.structs.replace(holding, nonces=SPENT), NOW)
    assert done.actions == (Release(frozenset({"create"})), DropFinalizer())
    sending = seen(AssetStatus(epoch=EPOCH, transactions=(record("create"),)), deleted=True)
    assert decide(sending, NOW).actions == (Send("0xraw"),)


def test_a_deleted_asset_begins_nothing_new() -> None:
    between = seen(created(), deleted=True, held={"create": 5})
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
    first = decide(seen(AssetStatus(epoch=EPOCH, transactions=(record("create"),))), NOW)
    assert decide(seen(first.status), NOW) == first
