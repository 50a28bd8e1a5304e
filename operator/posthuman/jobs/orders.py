"""Who uses which order, and for how long: claims taken, settled and given up. Pure.

A claim is taken before the job is accepted, and given up, with the running time that the job had,
before the job's finalizer goes. So an order starts one job at a time, and pays for so many seconds
in all. Which orders a job may have claimed is in its status before it claims any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.job import FINISHED, ComputeJob, OrderRecord
from posthuman.api.meta import Key
from posthuman.environments.orders import Paid
from posthuman.environments.purchase import order_id_of, paying_transaction
from posthuman.jobs.attempts import running_seconds
from posthuman.ports import OrderClaim


def claim_names(records: Iterable[OrderRecord]) -> list[str]:
    """Of the orders that a job's status lists."""
    return sorted({order_id_of(record.datatoken, record.tx_id) for record in records})


def is_held(holder: ComputeJob | None) -> bool:
    """Whether a claim's holder (None: gone) may still use it."""
    return holder is not None and holder.status.phase not in FINISHED


def settled(claim: OrderClaim, holder: ComputeJob | None, now: datetime) -> OrderClaim:
    """The claim of a holder who is over and hasn't given it up yet. One that is gone without an
    account (somebody took the finalizer from it) is taken to have run since its claim began."""
    if holder is not None:
        return given_up(claim, running_seconds(holder, now))
    return given_up(claim, max(0.0, seconds_between(claim.held_since, timestamp(now))))


def given_up(claim: OrderClaim, seconds: float) -> OrderClaim:
    """Nobody's any more, and so much running time poorer."""
    used = {**claim.used_seconds}
    if seconds > 0:
        used[claim.paid_by] = round(used.get(claim.paid_by, 0.0) + seconds, 3)
    return msgspec.structs.replace(
        claim, holder=Key("", ""), holder_uid="", held_since="", paid_by="", used_seconds=used
    )


def claims_to_take(job: ComputeJob, orders: Iterable[Paid], now: datetime) -> list[OrderClaim]:
    """Those that the job hasn't got yet. In one order for everybody, so that two jobs which want
    the same two orders can't each wait for the other."""
    free = [paid for paid in orders if paid.purchase.claim.holder_uid != job.metadata.uid]
    taken = [
        msgspec.structs.replace(
            paid.purchase.claim,
            holder=job.metadata.key,
            holder_uid=job.metadata.uid,
            held_since=timestamp(now),
            paid_by=paying_transaction(paid.order),
        )
        for paid in free
    ]
    return sorted(taken, key=lambda claim: claim.order_id)


def claims_to_give_up(
    job: ComputeJob, claims: Sequence[OrderClaim], now: datetime
) -> list[OrderClaim]:
    """Those that the job still has, at its end."""
    seconds = running_seconds(job, now)
    mine = [claim for claim in claims if claim.holder_uid == job.metadata.uid]
    return [given_up(claim, seconds) for claim in mine]
