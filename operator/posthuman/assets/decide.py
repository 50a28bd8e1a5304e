"""What to do next for an asset: observed world in, decision out. Pure and total.

A publication is four transactions, one after another: create, metadata, mint (if there is a
reward), transfer (if the owner isn't the signer). The outbox order makes each happen once: signed
bytes are stored in the status in one pass, and sent in a later one that read them back. Before
anything is signed the chain is asked whether it has happened already: the chain is the truth, the
status its shadow, which a restore may lose. (`open_record`: the transaction not yet confirmed.)

A process that became the signer's one writer first writes its epoch into the asset: another one
that was stopped between its check and its write finds the object changed.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from posthuman.api.asset import ModelAsset, TransactionRecord
from posthuman.api.conditions import is_true
from posthuman.api.environment import ChainSpec
from posthuman.api.meta import FINALIZER
from posthuman.assets.did import did_of
from posthuman.assets.draft import Draft
from posthuman.assets.observed import (
    CREATE,
    AddFinalizer,
    Decision,
    DropFinalizer,
    Fill,
    Observed,
    Problem,
    Release,
    Replace,
    Send,
)
from posthuman.assets.publication_id import publication_id
from posthuman.assets.review import review
from posthuman.assets.standing import say_whether_it_stands, vanished
from posthuman.assets.steps import (
    adopted,
    give_up,
    next_step,
    steps_done,
    unused_nonces,
    wanted_steps,
)
from posthuman.chain import Receipt, Spent

SLOWEST_POLL_SECONDS = 2.0  # one request, shared by all that wait
RETRY_SECONDS = 5.0
STANDBY_SECONDS = 2.0
RAISE_AFTER_SECONDS = 60.0  # about five blocks of Ethereum
QUICKEST_POLL_SECONDS = 0.1


def decide(seen: Observed, now: datetime) -> Decision:
    """The next actions and the status of an asset."""
    draft = Draft(seen.asset, now)
    if seen.standby:
        draft.status = seen.asset.status  # the other one writes it
        draft.look_again(STANDBY_SECONDS)
    elif seen.unchanged:
        draft.status = seen.asset.status
        draft.look_again(_poll_seconds(seen))
    elif _is_published(seen) or (seen.asset.metadata.deletion_timestamp and not unresolved(seen)):
        _clean_up(seen, draft)
        say_whether_it_stands(seen, draft)
    else:
        _advance(seen, draft)
    return draft.decision()


def troubled(asset: ModelAsset, decision: Decision, problem: Problem, now: datetime) -> Decision:
    """The decision, after its action failed."""
    draft = Draft(asset, now)
    draft.status = decision.status
    draft.trouble(problem)
    return draft.decision()


def unresolved(seen: Observed) -> bool:
    """Whether a nonce is reserved that no transaction is known to have used for good."""
    return seen.open_record is not None or bool(unused_nonces(seen))


def _is_published(seen: Observed) -> bool:
    return is_true(seen.asset.status.conditions, "Published")


def _has_finalizer(seen: Observed) -> bool:
    return FINALIZER in seen.asset.metadata.finalizers


def _clean_up(seen: Observed, draft: Draft) -> None:
    """Published, or deleted with nothing in flight: the finalizer has done its duty."""
    if not _has_finalizer(seen):
        return
    if seen.problem and seen.environment:  # the nonces that it holds can't be read: not yet
        draft.look_again(seen.problem.retry_seconds)
        if not _is_published(seen):
            draft.trouble(seen.problem)
        return
    draft.do(Release(frozenset(seen.held)), DropFinalizer())


def _advance(seen: Observed, draft: Draft) -> None:
    begun = bool(seen.asset.status.transactions or seen.held)
    refusal = review(seen.asset, seen.environment) if seen.environment and not begun else None
    if refusal:
        draft.refuse(refusal)
    elif seen.problem:
        draft.trouble(seen.problem)
        give_up(seen, draft)
    elif _has_finalizer(seen) and seen.asset.status.epoch != seen.epoch:
        draft.update(epoch=seen.epoch)  # and nothing else: a stale leader's write is refused now
        draft.look_again(0)
    elif seen.nft_missing and not seen.asset.metadata.deletion_timestamp:
        draft.trouble(vanished(seen.asset))
        give_up(seen, draft)
    elif seen.asset.metadata.deletion_timestamp and seen.open_record is None:
        draft.wait("Releasing", "its nonce is used up by a transfer to oneself, then it goes")
        draft.look_again(_poll_seconds(seen))
        give_up(seen, draft)
    elif not (_has_finalizer(seen) or seen.asset.metadata.deletion_timestamp):
        draft.status = seen.asset.status  # the finalizer's write wakes us at a new resourceVersion
        draft.do(AddFinalizer())
        draft.look_again(0)
    elif seen.environment and seen.environment.spec.chain:
        chain = seen.environment.spec.chain
        draft.accept()
        draft.update(publication_id=publication_id(seen.asset, chain.chain_id))
        draft.update(chain_id=chain.chain_id)
        _on_chain(seen, chain, draft)


def _on_chain(seen: Observed, chain: ChainSpec, draft: Draft) -> None:
    record = seen.open_record
    if record is None:
        next_step(seen, chain, draft)
    elif seen.receipt is None:
        _without_receipt(seen, chain, record, draft)
    elif seen.receipt.confirmations < chain.confirmations:
        count = f"{seen.receipt.confirmations}/{chain.confirmations}"
        draft.wait("Confirming", f"{record.step}: waiting for confirmations {count}")
        draft.look_again(_poll_seconds(seen))
    elif not seen.receipt.succeeded:
        _reverted(record, seen.receipt, draft)
    else:
        _confirm(seen, record, seen.receipt, draft)


def _poll_seconds(seen: Observed) -> float:
    """Soon on a quick chain, seldom on a slow one."""
    return min(max(seen.waited_seconds / 4, QUICKEST_POLL_SECONDS), SLOWEST_POLL_SECONDS)


def _without_receipt(
    seen: Observed, chain: ChainSpec, record: TransactionRecord, draft: Draft
) -> None:
    if not record.raw:  # adopted from the chain, which has been reorganised since
        draft.forget(record.step)
        draft.look_again(0)
    elif seen.nonces and seen.nonces.mined > record.nonce:
        _superseded(seen, chain, record, draft)
    else:
        draft.on_its_way(record.step)
        draft.do(*_bring(seen, record))
        draft.look_again(0 if seen.gaps else _poll_seconds(seen))


def _bring(seen: Observed, record: TransactionRecord) -> tuple[Fill | Replace | Send, ...]:
    """What brings it nearer to being mined. Only the first in line is held up by its own fee."""
    if seen.gaps:
        return (Fill(seen.gaps),)
    if seen.next_seconds >= RAISE_AFTER_SECONDS:
        return (Replace(record),)
    return () if seen.brought else (Send(record.raw),)


def _superseded(seen: Observed, chain: ChainSpec, record: TransactionRecord, draft: Draft) -> None:
    """Another transaction used its nonce: ours from before a restore, or a stranger's."""
    facts = seen.facts
    if facts and record.step == CREATE and facts.creation:
        draft.record(adopted(facts.creation))
        draft.look_again(0)
    elif facts and record.step != CREATE and record.step in steps_done(seen):
        draft.forget(record.step)
        draft.do(Release(frozenset({record.step})))
        draft.look_again(0)
    elif seen.spent is None or seen.spent.hash in (record.hash, *record.replaced):
        lags = f"{record.step}: the node says that {record.hash} was mined, and has no receipt yet"
        draft.trouble(Problem("NodeLags", lags, RETRY_SECONDS))
    else:
        _taken(seen.spent, chain, record, draft)


def _taken(spent: Spent, chain: ChainSpec, record: TransactionRecord, draft: Draft) -> None:
    """Once the stranger's transaction is settled our bytes can never be mined: only then is the
    step free to be signed anew. Its reservation stays until it has another nonce."""
    draft.wait(
        "NonceTaken",
        f"{record.step}: transaction {spent.hash} used the signer's nonce {record.nonce}; it is "
        "signed anew once that is confirmed; let nobody but the operator use the signer's key",
    )
    settled = spent.confirmations >= chain.confirmations
    if settled:
        draft.forget(record.step)
    draft.look_again(0 if settled else RETRY_SECONDS)


def _reverted(record: TransactionRecord, receipt: Receipt, draft: Draft) -> None:
    """It had no effect, so it may be signed anew; what would fail again fails before it is sent."""
    draft.charge(receipt)
    draft.forget(record.step)
    draft.do(Release(frozenset({record.step})))
    draft.wait("Reverted", f"{record.step}: transaction {record.hash} was reverted; trying again")
    draft.look_again(RETRY_SECONDS)


def _confirm(seen: Observed, record: TransactionRecord, receipt: Receipt, draft: Draft) -> None:
    draft.charge(receipt)
    others = [found for found in (record.hash, *record.replaced) if found != receipt.hash]
    confirmed = msgspec.structs.replace(
        record,
        hash=receipt.hash,
        replaced=tuple(others),
        raw="",
        block=receipt.block,
        gas_used=receipt.gas_used,
        cost_wei=str(receipt.cost_wei),
    )
    draft.record(confirmed)
    if record.step == CREATE:
        did = did_of(receipt.nft, draft.status.chain_id)
        draft.update(nft=receipt.nft, datatoken=receipt.datatoken, did=did)
    draft.do(Release(frozenset({record.step})))
    if wanted_steps(seen)[-1] == record.step:
        draft.published()
        draft.do(DropFinalizer())
    else:
        draft.wait("Publishing", f"{record.step}: done in block {receipt.block}")
    draft.look_again(0)
