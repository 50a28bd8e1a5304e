"""Earnings as people read them: amounts in whole tokens, services by name, sums by token. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from posthuman.ledger.amounts import whole
from posthuman.ledger.earnings import AssetEarnings, OwnerEarnings
from posthuman.ledger.quotes import TokenFacts
from posthuman.ledger.takings import FeeKind, OrderTaken, Swap

Tokens = Mapping[str, TokenFacts]
K = TypeVar("K")


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Whole tokens, as a decimal."""

    amount: str
    symbol: str
    token: str

    def __str__(self) -> str:
        return f"{self.amount} {self.symbol}"


class FeeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A fee, or the sum of those of one kind to one address in one token."""

    kind: FeeKind
    to: str
    money: Money


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who ordered what and when; `reuses`: the order that was used again, empty for a new one."""

    tx_id: str
    block: int
    at: str
    payer: str
    consumer: str
    service: str
    reuses: str
    fees: tuple[FeeLine, ...]


class SoldLine(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange sold for one kind of token, less what it took back."""

    datatokens: str
    paid: Money
    owner: Money
    market: Money
    ocean: Money


class AssetAccount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One asset's. Datatokens in whole ones; `returned` and `community`: of those ordered."""

    did: str
    name: str
    nft: str
    datatoken: str
    owner: str
    orders: tuple[OrderLine, ...]
    sold: tuple[SoldLine, ...]
    waiting: tuple[Money, ...]
    fees: tuple[FeeLine, ...]
    minted: str
    given_away: str
    handed_out: str
    returned: str
    community: str


class ShareLine(msgspec.Struct, frozen=True, kw_only=True):
    """A market owner's share of one asset's orders."""

    did: str
    orders: int
    money: Money


class OwnerAccount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All of one address; `market_in_all`: its shares summed by token."""

    address: str
    assets: tuple[AssetAccount, ...]
    market_shares: tuple[ShareLine, ...]
    market_in_all: tuple[Money, ...]


def tokens_in(assets: Iterable[AssetEarnings]) -> set[str]:
    """Addresses of what was paid in, whose symbols and decimals are to be read."""
    found: set[str] = set()
    for asset in assets:
        found |= {swap.token for swap in asset.takings.swaps}
        found |= {fee.token for order in asset.takings.orders for fee in order.fees}
        found |= {waiting.token for waiting in asset.waiting}
    return found


def account_of_asset(asset: AssetEarnings, tokens: Tokens) -> AssetAccount:
    """`tokens`: of `tokens_in`."""
    takings = asset.takings
    return AssetAccount(
        did=asset.did,
        name=asset.name,
        nft=asset.nft,
        datatoken=asset.datatoken,
        owner=asset.owner,
        orders=tuple(_order(found, asset.services, tokens) for found in takings.orders),
        sold=tuple(_sold(takings.swaps, tokens)),
        waiting=tuple(_money(w.wei, w.token, tokens) for w in asset.waiting if w.wei),
        fees=tuple(_fee_sums(takings.orders, tokens)),
        minted=whole(takings.minted_wei),
        given_away=whole(takings.given_wei),
        handed_out=whole(takings.handed_out_wei),
        returned=whole(sum(found.returned_wei for found in takings.orders)),
        community=whole(sum(found.community_wei for found in takings.orders)),
    )


def account_of_owner(owner: OwnerEarnings, tokens: Tokens) -> OwnerAccount:
    """The same of an address."""
    shares = owner.shares
    sums = _sums((share.token, share.wei) for share in shares)
    return OwnerAccount(
        address=owner.address,
        assets=tuple(account_of_asset(asset, tokens) for asset in owner.assets),
        market_shares=tuple(
            ShareLine(did=s.did, orders=s.orders, money=_money(s.wei, s.token, tokens))
            for s in shares
        ),
        market_in_all=tuple(_money(wei, token, tokens) for token, wei in sums.items()),
    )


def _order(order: OrderTaken, services: tuple[str, ...], tokens: Tokens) -> OrderLine:
    index = order.service_index
    name = services[index] if index < len(services) else f"service {index}"
    return OrderLine(
        tx_id=order.tx_id,
        block=order.block,
        at=datetime.fromtimestamp(order.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        payer=order.payer,
        consumer=order.consumer,
        service="" if order.reused_tx_id else name,
        reuses=order.reused_tx_id,
        fees=tuple(_fee_sums([order], tokens)),
    )


def _sold(swaps: Iterable[Swap], tokens: Tokens) -> Iterable[SoldLine]:
    found = list(swaps)
    for token in dict.fromkeys(swap.token for swap in found):
        mine = [swap for swap in found if swap.token == token]
        yield SoldLine(
            datatokens=whole(sum(swap.datatoken_wei for swap in mine)),
            paid=_money(sum(swap.paid_wei for swap in mine), token, tokens),
            owner=_money(sum(swap.owner_wei for swap in mine), token, tokens),
            market=_money(sum(swap.market_wei for swap in mine), token, tokens),
            ocean=_money(sum(swap.ocean_wei for swap in mine), token, tokens),
        )


def _fee_sums(orders: Iterable[OrderTaken], tokens: Tokens) -> Iterable[FeeLine]:
    sums = _sums(((fee.kind, fee.to, fee.token), fee.wei) for o in orders for fee in o.fees)
    for (kind, to, token), wei in sums.items():
        yield FeeLine(kind=kind, to=to, money=_money(wei, token, tokens))


def _sums(amounts: Iterable[tuple[K, int]]) -> dict[K, int]:
    found: dict[K, int] = {}
    for key, wei in amounts:
        found[key] = found.get(key, 0) + wei
    return found


def _money(wei: int, token: str, tokens: Tokens) -> Money:
    facts = tokens[token]
    return Money(amount=whole(wei, facts.decimals), symbol=facts.symbol, token=token)
