"""What an asset took in, told from its datatoken's and its exchange's events. Pure.

Within one `startOrder` the datatoken emits, in this order: OrderStarted, PublishMarketFee and
ConsumeMarketFee where there are such fees, ProviderFee, and a Transfer each to the payment
collector and to Ocean's community (ERC20Template). One transaction may hold several orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from web3.constants import ADDRESS_ZERO


class Event(NamedTuple):
    """One decoded event, and the contract that emitted it."""

    name: str
    emitter: str
    tx_id: str
    block: int
    said: Mapping[str, Any]


class FeeKind(StrEnum):
    """For what a fee was paid."""

    MARKET = "market"  # to the market where the asset was published
    CONSUME_MARKET = "consume market"  # to the one where it was bought
    PROVIDER = "provider"


class FeePaid(msgspec.Struct, frozen=True, kw_only=True):
    """One fee of one order."""

    kind: FeeKind
    to: str
    token: str
    wei: int


class OrderTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One order, or one more use of it. `at`: epoch seconds; `returned_wei`: of the datatoken that
    it took, to the payment collector; `community_wei`: to Ocean's community."""

    tx_id: str
    block: int
    at: int
    payer: str
    consumer: str = ""
    service_index: int = 0
    reused_tx_id: str = ""  # of the order that was used again; empty: a new one
    fees: tuple[FeePaid, ...] = ()
    collector: str = ""
    returned_wei: int = 0
    community_wei: int = 0


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """A trade with the exchange, as the asset's owner sees it: of what buyers paid, `owner_wei` is
    theirs. Negative where somebody sold datatokens back."""

    tx_id: str
    block: int
    by: str
    token: str
    datatoken_wei: int
    paid_wei: int
    owner_wei: int
    market_wei: int
    ocean_wei: int


class Takings(msgspec.Struct, frozen=True, kw_only=True):
    """All that happened to one datatoken. `given_wei`: by the dispenser; `handed_out_wei`: by the
    owner, outside of any order; `minted_wei`: ever, by whomever."""

    orders: tuple[OrderTaken, ...] = ()
    swaps: tuple[Swap, ...] = ()
    given_wei: int = 0
    minted_wei: int = 0
    handed_out_wei: int = 0


_SWAP_FEES = ("marketFeeAmount", "oceanFeeAmount", "consumeMarketFeeAmount")
_FEES = {
    "PublishMarketFee": (FeeKind.MARKET, "PublishMarketFee"),
    "ConsumeMarketFee": (FeeKind.CONSUME_MARKET, "consumeMarketFee"),
    "ProviderFee": (FeeKind.PROVIDER, "providerFee"),
}


def orders_in(events: Iterable[Event]) -> tuple[OrderTaken, ...]:
    """Of a datatoken's events, oldest first; what follows an order in its transaction is its."""
    found: list[OrderTaken] = []
    for event in events:
        if event.name in ("OrderStarted", "OrderReused"):
            found.append(_begun(event))
        elif found and found[-1].tx_id == event.tx_id:
            found[-1] = _with(found[-1], event)
    return tuple(found)


def minted_in(events: Iterable[Event]) -> int:
    """Wei, ever."""
    transfers = (event.said for event in events if event.name == "Transfer")
    return sum(said["value"] for said in transfers if said["from"] == ADDRESS_ZERO)


def handed_out_in(events: Sequence[Event], owner: str) -> int:
    """Wei that the owner sent to others otherwise than by ordering."""
    ordering = {event.tx_id for event in events if event.name == "OrderStarted"}
    return sum(
        event.said["value"]
        for event in events
        if event.name == "Transfer"
        and event.tx_id not in ordering
        and event.said["from"] == owner
        and event.said["to"] != owner
    )


def swap_of(event: Event, token: str) -> Swap:
    """`token`: the exchange's base token. What a buyer pays holds the fees; what somebody gets who
    sells back doesn't, and the owner bears both."""
    said = event.said
    base, fees = said["baseTokenSwappedAmount"], sum(said[name] for name in _SWAP_FEES)
    is_sold_back = said["tokenOutAddress"] == token
    sign = -1 if is_sold_back else 1
    return Swap(
        tx_id=event.tx_id,
        block=event.block,
        by=said["by"],
        token=token,
        datatoken_wei=sign * said["datatokenSwappedAmount"],
        paid_wei=sign * base,
        owner_wei=sign * base - fees,
        market_wei=said["marketFeeAmount"],
        ocean_wei=said["oceanFeeAmount"],
    )


def _begun(event: Event) -> OrderTaken:
    said = event.said
    if event.name == "OrderReused":
        return OrderTaken(
            tx_id=event.tx_id,
            block=event.block,
            at=said["timestamp"],
            payer=said["caller"],
            reused_tx_id="0x" + said["orderTxId"].hex(),
        )
    return OrderTaken(
        tx_id=event.tx_id,
        block=event.block,
        at=said["timestamp"],
        payer=said["payer"],
        consumer=said["consumer"],
        service_index=said["serviceIndex"],
    )


def _with(order: OrderTaken, event: Event) -> OrderTaken:
    """The order and one more of its events."""
    if event.name in _FEES:
        fee = fee_of(event)
        return msgspec.structs.replace(order, fees=(*order.fees, fee)) if fee.wei else order
    if event.name != "Transfer" or event.said["from"] != order.payer:
        return order
    if not order.collector:
        to, wei = event.said["to"], event.said["value"]
        return msgspec.structs.replace(order, collector=to, returned_wei=wei)
    return msgspec.structs.replace(order, community_wei=event.said["value"])


def fee_of(event: Event) -> FeePaid:
    """Of one of the three fee events; 0 wei where nothing was moved."""
    kind, prefix = _FEES[event.name]
    said = event.said
    to, token, wei = said[f"{prefix}Address"], said[f"{prefix}Token"], said[f"{prefix}Amount"]
    is_paid = ADDRESS_ZERO not in (to, token)
    return FeePaid(kind=kind, to=to, token=token, wei=wei if is_paid else 0)
