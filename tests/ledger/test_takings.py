"""Orders told apart within one transaction, as a wallet that batches its calls makes them."""

from __future__ import annotations

from typing import Any

from posthuman.ledger.takings import Event, FeeKind, handed_out_in, orders_in

BUYER, OWNER, COMMUNITY, MARKET, TOKEN, NOBODY = (f"0x{digit * 40}" for digit in "123450")
WEI = 10**18


def event(name: str, tx_id: str = "0xa", **said: Any) -> Event:
    return Event(name, "0xdatatoken", tx_id, 7, said)


def started(service: int, tx_id: str = "0xa") -> list[Event]:
    """All that the datatoken says of one order."""
    return [
        event(
            "OrderStarted", tx_id, consumer=BUYER, payer=BUYER, serviceIndex=service, timestamp=1
        ),
        event(
            "PublishMarketFee",
            tx_id,
            PublishMarketFeeAddress=MARKET,
            PublishMarketFeeToken=TOKEN,
            PublishMarketFeeAmount=service + 1,
        ),
        event(
            "ProviderFee",
            tx_id,
            providerFeeAddress=NOBODY,
            providerFeeToken=NOBODY,
            providerFeeAmount=9,
        ),
        moved(BUYER, OWNER, 97, tx_id),
        moved(BUYER, COMMUNITY, 3, tx_id),
    ]


def moved(sender: str, to: str, wei: int, tx_id: str) -> Event:
    return event("Transfer", tx_id, **{"from": sender, "to": to, "value": wei})


def test_two_orders_of_one_transaction_keep_their_own_fees() -> None:
    first, second = orders_in([*started(0), *started(2)])
    assert [order.service_index for order in (first, second)] == [0, 2]
    assert [[(fee.kind, fee.wei) for fee in order.fees] for order in (first, second)] == [
        [(FeeKind.MARKET, 1)],
        [(FeeKind.MARKET, 3)],
    ]
    assert {(order.collector, order.returned_wei) for order in (first, second)} == {(OWNER, 97)}
    assert (first.community_wei, second.community_wei) == (3, 3)


def test_what_belongs_to_no_order_is_given_to_none() -> None:
    [order] = orders_in([*started(1), moved(BUYER, OWNER, WEI, "0xb")])
    assert order.returned_wei == 97


def test_only_what_leaves_the_owner_outside_of_orders_was_handed_out() -> None:
    events = [
        *started(0),
        moved(OWNER, BUYER, 5, "0xb"),
        moved(BUYER, OWNER, 2, "0xc"),
        moved(OWNER, OWNER, 4, "0xd"),
    ]
    assert handed_out_in(events, OWNER) == 5
