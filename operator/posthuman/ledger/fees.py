"""What a transaction offers for its gas. Pure.

EIP-1559 where the chain has a base fee: a tip, and a maximum that bears the base fee growing. Where
it has none, a gas price. A replacement must offer an eighth more of both, or nodes refuse it as
underpriced (geth and its kin ask for a tenth). Nothing is ever offered above the environment's
ceiling, `spec.chain.maxFeeGwei`.
"""

from __future__ import annotations

import msgspec

from posthuman.errors import TransientError

GWEI = 10**9
BASE_FEE_MARGIN = 3  # the base fee may triple (10 full blocks) before a transaction stalls
# Polygon's nodes take no smaller tip: 30 gwei from 2020 on (bor's --txpool.pricelimit), 25 since.
SMALLEST_TIP_WEI = {137: 30 * GWEI, 80002: 30 * GWEI}


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What gas costs now: wei per gas."""

    gas_price_wei: int  # as the node suggests it: with a base fee, that and a tip
    base_fee_wei: int | None = None  # None: the chain has none


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered, wei per gas."""

    max_wei: int  # without a tip: the gas price
    tip_wei: int | None = None


class FeePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be offered on this chain, wei per gas."""

    ceiling_wei: int
    smallest_tip_wei: int = 0


def offered(market: Market, policy: FeePolicy) -> Fees:
    """For a new transaction. Raises TransientError: FeeCeiling."""
    if market.base_fee_wei is None:
        price = max(market.gas_price_wei, policy.smallest_tip_wei)
        _check(price, policy)
        return Fees(max_wei=price)
    tip = max(market.gas_price_wei - market.base_fee_wei, policy.smallest_tip_wei)
    _check(market.base_fee_wei + tip, policy)
    most = market.base_fee_wei * BASE_FEE_MARGIN + tip
    return Fees(max_wei=min(most, policy.ceiling_wei), tip_wei=tip)


def raised(old: Fees, market: Market, policy: FeePolicy) -> Fees:
    """For its replacement: an eighth more, or what the market asks for if that is more. Raises
    TransientError: FeeCeiling."""
    new = offered(market, policy)
    most = max(new.max_wei, _an_eighth_more(old.max_wei))
    _check(most, policy)
    if old.tip_wei is None or new.tip_wei is None:
        return Fees(max_wei=most)
    return Fees(max_wei=most, tip_wei=max(new.tip_wei, _an_eighth_more(old.tip_wei)))


def _an_eighth_more(wei: int) -> int:
    return wei + -(-wei // 8)


def _check(wei: int, policy: FeePolicy) -> None:
    if wei > policy.ceiling_wei:
        raise TransientError(
            f"gas would have to be paid with {wei / GWEI:g} gwei, and spec.chain.maxFeeGwei allows "
            f"{policy.ceiling_wei / GWEI:g}: it waits until gas is cheaper; or raise the ceiling",
            "FeeCeiling",
        )
