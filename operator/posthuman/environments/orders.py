"""Were the assets that a job asks for paid for? Pure; part of policy.py, for `verifyOrders`.

Asked of each published asset that the job's owner doesn't own and that isn't open to all: an order
on chain, by that owner, for that asset's datatoken and for the service that the algorithm needs. A
definite answer waits for the chain's confirmations, so that no job ends by a block that goes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from posthuman.api.asset import ModelAsset, ServiceKind
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobInput, OrderRecord
from posthuman.assets.services import ServiceFacts, kind_of, service_needed
from posthuman.chain import Order
from posthuman.environments.purchase import (
    Purchase,
    expires_at,
    order_id,
    paid_seconds,
    to_be_paid,
)
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting

LEFT_TO_TIME = frozenset({"OrderUnread", "OrderNotFound", "OrderUnconfirmed", "OrderInUse"})
"""Reasons to wait that nothing wakes a job from; neither does a fault of the chain."""
ANEW = "Make the job anew with it"


class Paid(msgspec.Struct, frozen=True):
    """An order that holds good for an input."""

    order: Order
    service: ServiceFacts
    purchase: Purchase


def review_orders(request: Request) -> Verdict:
    """The first refusal, else the first reason to wait."""
    wanted = to_be_paid(request.job, request.environment, request.assets)
    found = [_asset(request, *entry) for entry in wanted.items()]
    verdicts = [verdict for verdict in found if isinstance(verdict, Refusal | Waiting)]
    verdicts += _twice(request, [paid for paid in found if isinstance(paid, Paid)])
    refusals = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
    return next(iter([*refusals, *verdicts]), None)


def orders_of(request: Request) -> dict[str, Paid]:
    """By input, the orders that an accepted job rests on."""
    wanted = to_be_paid(request.job, request.environment, request.assets)
    found = {name: _asset(request, name, asset) for name, asset in wanted.items()}
    return {name: paid for name, paid in found.items() if isinstance(paid, Paid)}


def order_records(orders: Mapping[str, Paid]) -> tuple[OrderRecord, ...]:
    """As the job's status keeps them."""
    return tuple(
        OrderRecord(
            input=name,
            tx_id=paid.order.tx_id,
            reuse_tx_id=paid.order.reuse_tx_id,
            datatoken=paid.order.datatoken,
            service_index=paid.order.service_index,
            paid_seconds=paid_seconds(paid.order, paid.service, paid.purchase.claim),
        )
        for name, paid in orders.items()
    )


def _asset(request: Request, name: str, asset: ModelAsset) -> Refusal | Waiting | Paid | None:
    """None: the job's owner owns it."""
    purchase = request.purchases.get(name)
    if purchase is None:
        return Waiting("OrderUnread", f'input "{name}": its order has not been looked up yet')
    if isinstance(purchase, Waiting):
        return purchase
    if purchase.nft_owner.lower() == request.job.spec.owner.lower():
        return None
    given = next(found for found in request.job.spec.inputs if found.name == name)
    return _order(request, given, asset, purchase)


def _order(
    request: Request, given: JobInput, asset: ModelAsset, purchase: Purchase
) -> Refusal | Waiting | Paid:
    say, kind = f'input "{given.name}": ', service_needed(request.job, given)
    if given.order is None:
        return Refusal(
            "OrderMissing",
            f"{say}{request.job.spec.owner} doesn't own {asset.status.did} and names no order of "
            f'it. Order its service "{kind}", then make the job anew with the transaction in '
            f"{_place(given)}",
        )
    if isinstance(purchase.order, Refusal):
        return Refusal(purchase.order.reason, say + purchase.order.message)
    unsettled = _unsettled(request, given, purchase.order)
    if unsettled or purchase.order is None:
        return unsettled or _not_found(given)
    return _bought(request, given, purchase, purchase.order, kind)


def _unsettled(request: Request, given: JobInput, order: Order | None) -> Refusal | Waiting | None:
    chain, named = request.environment.spec.chain, request.job.spec.order
    if chain and named and named.chain_id not in (0, chain.chain_id):
        return Refusal(
            "OrderOnOtherChain",
            f"spec.order.chainId is {named.chain_id}, and this environment's assets are sold on "
            f"chain {chain.chain_id}: order there, or use an environment of that chain",
        )
    if order is None:
        return _not_found(given)
    wanted = chain.confirmations if chain else 1
    if order.confirmations < wanted:
        return Waiting(
            "OrderUnconfirmed",
            f'input "{given.name}": its order has {order.confirmations} of {wanted} confirmations',
        )
    return None


def _not_found(given: JobInput) -> Waiting:
    named = given.order.tx_id if given.order else ""
    return Waiting(
        "OrderNotFound",
        f'input "{given.name}": the chain has no transaction {named} yet. If it should have it by '
        f"now, make the job anew with the right {_place(given)}",
    )


def _bought(
    request: Request, given: JobInput, purchase: Purchase, order: Order, kind: ServiceKind
) -> Refusal | Waiting | Paid:
    say, owner = f'input "{given.name}": ', request.job.spec.owner
    if not _is_of(order, owner, request.environment):
        return Refusal(
            "OrderOfAnother",
            f"{say}order {order.tx_id} was made for {order.consumer}, and the job is of {owner}: "
            f"order it for {owner}. {ANEW}",
        )
    service = next((found for found in purchase.services if found.kind is kind), None)
    if service is None:
        return Refusal(
            "ServiceNotSold",
            f'{say}the asset sells no service "{kind}" (it sells: {_sold(purchase)}); use an '
            "algorithm that one of these is for, or another asset",
        )
    named = kind_of(given.order.service_id if given.order else "") or kind
    if order.service_index != service.index or named is not kind:
        return Refusal(
            "OrderForOtherService",
            f"{say}the algorithm needs service {service.index} ({kind}), and order {order.tx_id} "
            f"is of service {order.service_index} ({_name(purchase, order)}): order service "
            f'"{kind}". {ANEW}',
        )
    over = _expired(request.job, given, purchase, order, service)
    return over or _unused(given, purchase, order, service, request.job)


def _is_of(order: Order, owner: str, environment: ComputeEnvironment) -> bool:
    """Ocean's markets order compute for the environment's own address, paid for by the buyer."""
    ours = environment.status.consumer_address.lower()
    for_us = bool(ours) and order.consumer.lower() == ours
    return owner.lower() == (order.payer if for_us else order.consumer).lower()


def _expired(
    job: ComputeJob, given: JobInput, purchase: Purchase, order: Order, service: ServiceFacts
) -> Refusal | None:
    said = job.spec.order.valid_until if job.spec.order else 0
    ends = [end for end in (expires_at(order, service), said) if end]
    if purchase.claim.holder_uid == job.metadata.uid or purchase.read_at <= min(
        ends, default=purchase.read_at
    ):
        return None
    return Refusal(
        "OrderExpired",
        f'input "{given.name}": order {order.tx_id} was good until {_moment(min(ends))}: order '
        f'service "{service.id}" again. {ANEW}',
    )


def _unused(
    given: JobInput, purchase: Purchase, order: Order, service: ServiceFacts, job: ComputeJob
) -> Refusal | Waiting | Paid:
    claim = purchase.claim
    if claim.holder_uid not in ("", job.metadata.uid):
        return Waiting(
            "OrderInUse",
            f'input "{given.name}": order {order.tx_id} is in use by job {claim.holder}; this one '
            "starts on what is left of it when that has ended. Order again to have both run",
        )
    left = paid_seconds(order, service, claim)
    if left is not None and left <= 0:
        return Refusal(
            "OrderUsedUp",
            f'input "{given.name}": the running time that order {order.tx_id} paid for has been '
            f'used: order service "{service.id}" again, or prolong the order with reuseOrder and '
            f"name that transaction. {ANEW}",
        )
    return Paid(order, service, purchase)


def _twice(request: Request, paid: list[Paid]) -> list[Refusal]:
    counted = Counter(order_id(found.order) for found in paid)
    return [
        Refusal(
            "OrderUsedTwice",
            f"order {found.order.tx_id} is named by {counted[order_id(found.order)]} inputs, and "
            f"an order pays for one input of one job: order once for each. {ANEW}",
        )
        for found in paid
        if counted[order_id(found.order)] > 1
    ][:1]


def _place(given: JobInput) -> str:
    return f'order.txId of input "{given.name}"'


def _sold(purchase: Purchase) -> str:
    return ", ".join(found.id for found in purchase.services) or "none"


def _name(purchase: Purchase, order: Order) -> str:
    named = [found.id for found in purchase.services if found.index == order.service_index]
    return named[0] if named else "which the asset doesn't sell"


def _moment(epoch_seconds: int) -> str:
    """A DDO's writer may have it end before all time."""
    return datetime.fromtimestamp(max(0, epoch_seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
