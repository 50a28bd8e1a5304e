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
    Problem,
    Release,
    Send,
    SignCreate,
)
from tests.assets.sights import (
    CREATION,
    SIGNER,
    created,
    reason,
    receipt,
    record,
    seen,
)
from tests.assets.world import MANIFEST, REWARD_WEI
from tests.builders import NOW


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
