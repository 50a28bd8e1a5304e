"""Was it paid for? A table: what was bought, and the sentence's reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import OrderRecord
from posthuman.api.meta import Key
from posthuman.assets.services import services_in
from posthuman.chain import Order
from posthuman.environments.orders import order_records, orders_of, review_orders
from posthuman.environments.policy import review
from posthuman.environments.purchase import Purchase, order_id, paid_seconds
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting
from posthuman.ports import OrderClaim
from tests.builders import (
    ALICE,
    BOB,
    CHAIN,
    MODEL_INPUT,
    SETTINGS,
    TEXT_INPUT,
    asset,
    environment,
    job,
)

NOW = 1_767_268_800  # epoch seconds
HOUR = 3600
CONSUMER = "0x" + "e" * 40
TOKEN = "0x" + "d" * 40
TX, REUSE = "0x" + "a" * 64, "0x" + "b" * 64
SERVICES = services_in(
    b'{"services": [{"id": "train", "timeout": 7200}, {"id": "infer"}, {"id": "evaluate"}]}'
)
ORDER = Order(
    tx_id=TX,
    datatoken=TOKEN,
    consumer=BOB,
    payer=BOB,
    service_index=0,
    timestamp=NOW - HOUR,
    block=5,
    confirmations=3,
)


def changed(**changes: Any) -> Order:
    return msgspec.structs.replace(ORDER, **changes)


def gpt2() -> ModelAsset:
    found = asset()
    status = msgspec.structs.replace(found.status, datatoken=TOKEN)
    return msgspec.structs.replace(found, status=status)


def bought(order: Order | Refusal | None = ORDER, **changes: Any) -> Purchase:
    purchase = Purchase(nft_owner=ALICE, services=SERVICES, order=order, read_at=NOW)
    if isinstance(order, Order):
        claim = OrderClaim(order_id=order_id(order))
        purchase = msgspec.structs.replace(purchase, claim=claim)
    return msgspec.structs.replace(purchase, **changes)


def claimed(order: Order = ORDER, **claim: Any) -> Purchase:
    return bought(order, claim=OrderClaim(order_id=order_id(order), **claim))


def offer(policy: dict[str, Any] | None = None) -> ComputeEnvironment:
    found = environment(
        chain={**CHAIN, "confirmations": 3}, policy={"verifyOrders": True, **(policy or {})}
    )
    status = msgspec.structs.replace(found.status, consumer_address=CONSUMER)
    return msgspec.structs.replace(found, status=status)


def asked(
    purchase: Purchase | Waiting | None = None,
    named: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = None,
    **spec: Any,
) -> Request:
    """Bob trains on Alice's model; the order that he names is TX by default."""
    order = {"txId": TX} if named is None else named
    given = {**MODEL_INPUT, "order": order} if order else MODEL_INPUT
    return Request(
        job=job(**{"inputs": [TEXT_INPUT, given], **spec}),
        environment=offer(policy),
        assets={"model": gpt2()},
        catalogue=SETTINGS.catalogue,
        purchases={"model": purchase} if purchase else {},
    )


def reason(verdict: Verdict) -> str:
    return verdict.reason if verdict else ""


def test_an_order_of_ones_own_for_the_service_that_is_needed() -> None:
    request = asked(bought())
    assert review_orders(request) is None
    (record,) = order_records(orders_of(request))
    assert (record.input, record.tx_id, record.datatoken) == ("model", TX, TOKEN)
    assert record.paid_seconds == 7200


REFUSED: dict[str, tuple[Request, str, str]] = {
    "none named": (asked(bought(None), named={}), "OrderMissing", 'Order its service "train"'),
    "of somebody else": (
        asked(bought(changed(consumer=ALICE, payer=ALICE))),
        "OrderOfAnother",
        f"order it for {BOB}",
    ),
    "paid for somebody else": (asked(bought(changed(consumer=ALICE))), "OrderOfAnother", ALICE),
    "for the environment, by somebody else": (
        asked(bought(changed(consumer=CONSUMER, payer=ALICE))),
        "OrderOfAnother",
        BOB,
    ),
    "no order of this asset": (
        asked(bought(Refusal("OrderForOtherAsset", "name another"))),
        "OrderForOtherAsset",
        'input "model": name another',
    ),
    "another service": (
        asked(bought(changed(service_index=1))),
        "OrderForOtherService",
        'is of service 1 (infer): order service "train"',
    ),
    "a service that isn't": (
        asked(bought(changed(service_index=9))),
        "OrderForOtherService",
        "which the asset doesn't sell",
    ),
    "another service named": (
        asked(bought(), named={"txId": TX, "serviceId": "evaluate"}),
        "OrderForOtherService",
        "train",
    ),
    "not for sale": (
        asked(bought(services=SERVICES[1:])),
        "ServiceNotSold",
        "it sells: infer, evaluate",
    ),
    "the service's time is over": (
        asked(bought(changed(timestamp=NOW - 7201))),
        "OrderExpired",
        "2026-01-01 11:59:59 UTC",
    ),
    "a reuse that outlives the service": (
        asked(
            bought(
                changed(
                    timestamp=NOW - 7201,
                    reuse_tx_id=REUSE,
                    reused_at=NOW - 1,
                    valid_until=NOW + HOUR,
                )
            )
        ),
        "OrderExpired",
        'order service "train" again',
    ),
    "the fee's time is over": (
        asked(bought(changed(valid_until=NOW - 1))),
        "OrderExpired",
        "Make the job anew",
    ),
    "the purchase's time is over": (
        asked(bought(), order={"agreementId": TX, "validUntil": NOW - 1}),
        "OrderExpired",
        "2026-01-01 11:59:59 UTC",
    ),
    "another chain": (
        asked(bought(), order={"agreementId": TX, "chainId": 137}),
        "OrderOnOtherChain",
        "sold on chain 8996",
    ),
    "used up": (
        asked(claimed(used_seconds={TX: 7200.0})),
        "OrderUsedUp",
        "reuseOrder",
    ),
    "the reuse's time is used up": (
        asked(
            claimed(
                changed(reuse_tx_id=REUSE, reused_at=NOW - 60, valid_until=NOW + 60),
                used_seconds={TX: 30.0, REUSE: 120.0},
            )
        ),
        "OrderUsedUp",
        "reuseOrder",
    ),
}


@pytest.mark.parametrize(("request_", "why", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(request_: Request, why: str, says: str) -> None:
    verdict = review_orders(request_)
    assert isinstance(verdict, Refusal)
    assert verdict.reason == why
    assert says in verdict.message
    assert orders_of(request_) == {}


WAITING: dict[str, tuple[Request, str, str]] = {
    "not looked up": (asked(), "OrderUnread", "model"),
    "not mined": (asked(bought(None)), "OrderNotFound", TX),
    "one confirmation": (
        asked(bought(changed(confirmations=2, consumer=ALICE))),
        "OrderUnconfirmed",
        "2 of 3",
    ),
    "a node that is away": (
        asked(Waiting("ChainUnreachable", "the node is away")),
        "ChainUnreachable",
        "away",
    ),
    "in use": (
        asked(claimed(holder=Key("bob", "first"), holder_uid="other")),
        "OrderInUse",
        "in use by job bob/first",
    ),
}


@pytest.mark.parametrize(("request_", "why", "says"), WAITING.values(), ids=WAITING.keys())
def test_waited_for(request_: Request, why: str, says: str) -> None:
    verdict = review_orders(request_)
    assert isinstance(verdict, Waiting)
    assert verdict.reason == why
    assert says in verdict.message
    assert orders_of(request_) == {}


NEEDS_NO_ORDER: dict[str, Request] = {
    "its owner": asked(bought(nft_owner=BOB.lower(), order=None), named={}),
    "open to all": asked(named={}, policy={"openAssets": [gpt2().status.did]}),
    "orders aren't verified": asked(named={}, policy={"verifyOrders": False}),
    "no asset of the environment": msgspec.structs.replace(asked(named={}), assets={}),
    "an asset that isn't published yet": msgspec.structs.replace(
        asked(named={}), assets={"model": asset(ready=False)}
    ),
}


@pytest.mark.parametrize("request_", NEEDS_NO_ORDER.values(), ids=NEEDS_NO_ORDER.keys())
def test_needs_no_order(request_: Request) -> None:
    assert review_orders(request_) is None
    assert orders_of(request_) == {}


GOOD: dict[str, Request] = {
    "its own claim, though its time is over by now": asked(
        claimed(changed(timestamp=NOW - 7201), holder_uid="11112222-3333")
    ),
    "a market's order for the environment, paid by the owner": asked(
        bought(changed(consumer=CONSUMER))
    ),
    "named as people write addresses": asked(bought(), owner=BOB.lower()),
    "the same service, named": asked(bought(), named={"txId": TX, "serviceId": "train"}),
    "a purchase on this chain that lasts": asked(
        bought(), order={"agreementId": TX, "chainId": 8996, "validUntil": NOW + 1}
    ),
}


@pytest.mark.parametrize("request_", GOOD.values(), ids=GOOD.keys())
def test_accepted(request_: Request) -> None:
    assert review_orders(request_) is None
    assert [record.tx_id for record in order_records(orders_of(request_))] == [TX]


def test_a_market_s_order_needs_an_address_of_the_environment() -> None:
    """Without one the empty address is nobody's."""
    request = asked(bought(changed(consumer="")))
    status = msgspec.structs.replace(request.environment.status, consumer_address="")
    offer = msgspec.structs.replace(request.environment, status=status)
    verdict = review_orders(msgspec.structs.replace(request, environment=offer))
    assert reason(verdict) == "OrderOfAnother"


def test_an_order_pays_for_one_input() -> None:
    request = asked(bought())
    inputs = [request.job.spec.inputs[1], *request.job.spec.inputs]
    second = msgspec.structs.replace(inputs[0], name="teacher")
    spec = msgspec.structs.replace(request.job.spec, inputs=(second, *inputs[1:]))
    both = msgspec.structs.replace(
        request,
        job=msgspec.structs.replace(request.job, spec=spec),
        assets={"model": gpt2(), "teacher": gpt2()},
        purchases={"model": bought(), "teacher": bought()},
    )
    assert reason(review_orders(both)) == "OrderUsedTwice"


def test_it_is_one_of_the_rules() -> None:
    assert reason(review(asked(bought(changed(service_index=1))))) == "OrderForOtherService"


HOSTILE: dict[str, Request] = {
    "a fee's end that fits no clock": asked(bought(changed(valid_until=2**256 - 1))),
    "and none of the service's": asked(
        bought(
            changed(valid_until=2**256 - 1), services=services_in(b'{"services":[{"id":"train"}]}')
        )
    ),
}


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE.keys())
def test_numbers_of_the_chain_fit_into_a_status(request_: Request) -> None:
    assert review_orders(request_) is None
    records = order_records(orders_of(request_))
    assert (
        msgspec.json.decode(msgspec.json.encode(records), type=tuple[OrderRecord, ...]) == records
    )


def test_a_service_that_ended_before_all_time_is_over() -> None:
    services = services_in(b'{"services": [{"id": "train", "timeout": -1000000000000000000}]}')
    verdict = review_orders(asked(bought(services=services)))
    assert reason(verdict) == "OrderExpired"


EVER, HOURS = services_in(b'{"services": [{"id": "train"}]}')[0], SERVICES[0]


@pytest.mark.parametrize(
    ("order", "service", "used", "left"),
    [
        (ORDER, EVER, {}, None),
        (ORDER, EVER, {TX: 1e6}, None),
        (ORDER, HOURS, {}, 7200),
        (ORDER, HOURS, {TX: 7000.0, REUSE: 150.0}, 50),
        (changed(valid_until=NOW), EVER, {}, HOUR),
        (changed(valid_until=NOW), HOURS, {}, HOUR),
        (changed(valid_until=NOW + 10 * HOUR), HOURS, {}, 7200),
        (changed(valid_until=NOW), EVER, {TX: 4000.0}, 0),
        (changed(reuse_tx_id=REUSE, reused_at=NOW, valid_until=NOW + 60), HOURS, {TX: 60.0}, 60),
        (changed(reuse_tx_id=REUSE, reused_at=NOW, valid_until=NOW + 60), HOURS, {REUSE: 50.0}, 10),
        (changed(reuse_tx_id=REUSE, reused_at=NOW), HOURS, {TX: 7190.0}, 10),
    ],
)
def test_paid_seconds(
    order: Order, service: Any, used: dict[str, float], left: float | None
) -> None:
    claim = OrderClaim(order_id=order_id(order), used_seconds=used)
    assert paid_seconds(order, service, claim) == left
