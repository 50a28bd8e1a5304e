"""`posthuman buy`: order a service of an asset with one's own key, where no market does it.

What it costs is said before anything is paid. What is printed then goes under the job's input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import typer

from posthuman.assets.services import ServiceFacts, services_in
from posthuman.cli.chain_place import ChainPlace, OpenChain, opened_chain
from posthuman.cli.ending import REFUSED, SUCCEEDED, said
from posthuman.cli.lineage import ADDRESS, DID
from posthuman.errors import NotFound, UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.amounts import whole
from posthuman.ledger.buying import Buyer, opened_buyer
from posthuman.ledger.quotes import Cost, Quote, Source
from posthuman.ledger.reader import OceanReader, open_reader

KEY_ENV = "POSTHUMAN_PRIVATE_KEY"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants; `service`: an id of the DDO, or its place there; `consumer`: who may use
    the order, the one who pays if empty."""

    did: str
    service: str
    consumer: str = ""


class Item(NamedTuple):
    """What is to be ordered, as the chain has it."""

    datatoken: str
    service_id: str  # empty where the DDO can't be read
    place: int

    @property
    def service(self) -> str:
        """For people."""
        return self.service_id or f"service {self.place}"


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """One payment, as people write it."""

    what: str
    amount: str  # a decimal
    symbol: str
    token: str

    def __str__(self) -> str:
        return f"{self.amount} {self.symbol} ({self.what})"


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """What is ordered by whom, and what it costs them."""

    wish: Wish
    item: Item
    quote: Quote
    costs: tuple[Amount, ...]
    buyer: str

    @property
    def consumer(self) -> str:
        """Who may use the order."""
        return self.wish.consumer or self.buyer

    def question(self) -> str:
        """Said before anything is paid."""
        what = f"ordering {self.item.service} of {self.wish.did} for {self.consumer}"
        lines = [f"{what} costs {self.buyer}"]
        if self.quote.source is not Source.EXCHANGE:
            lines.append(f"  1 datatoken, {self.quote.source}")
        return "\n".join([*lines, *(f"  {cost}" for cost in self.costs), "  and the chain's gas"])

    def facts(self, tx_id: str) -> dict[str, Any]:
        """All of it, for `-o json`."""
        named = {"serviceId": self.item.service_id} if self.item.service_id else {}
        return {
            "did": self.wish.did,
            "service": self.item.service,
            "serviceIndex": self.item.place,
            "datatoken": self.item.datatoken,
            "source": self.quote.source.value,
            "payer": self.buyer,
            "consumer": self.consumer,
            "costs": [msgspec.to_builtins(cost) for cost in self.costs],
            "order": {"txId": tx_id, **named},
        }


def buy_service(
    wish: Wish, place: ChainPlace, key_file: Path | None, agreed: bool, as_json: bool
) -> int:
    """Print the order. Raises UserError, NotFound, TransientError."""
    _check(wish)
    key = private_key(key_file)
    with opened_chain(place) as chain:
        facts = asyncio.run(_bought(wish, chain, key, agreed))
    if facts is None:
        return REFUSED
    print(json.dumps(facts, indent=2) if as_json else as_text(facts))
    return SUCCEEDED


def private_key(key_file: Path | None) -> bytes:
    """From the file, else the environment variable; never an argument, which everyone on the
    machine can read. Raises UserError."""
    key = _read(key_file) if key_file else os.environ.get(KEY_ENV, "").encode()
    if not key:
        raise UserError(
            f"no key to pay with: name a file that holds it, by --key-file, or set {KEY_ENV}"
        )
    try:
        account_of(key)
    except UserError:
        place = str(key_file or KEY_ENV)
        raise UserError(f"{place} holds no key: it must be 32 bytes, or 64 hex digits") from None
    return key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"the key file {file} can't be read: {error.strerror}") from error


def choose(services: Sequence[ServiceFacts], wanted: str, did: str) -> ServiceFacts:
    """By its id, or its place. Raises UserError with what there is."""
    for found in services:
        if wanted not in (found.id, str(found.index)):
            continue
        if not found.id.isprintable():
            raise UserError(
                f"{did} calls its service {found.index} {found.id!r}, which can't be shown beside "
                "a price: ask its owner for a plain name"
            )
        return found
    names = ", ".join(found.id for found in services)
    raise UserError(
        f'{did} has no service "{wanted}": choose one of {names}'
        if services
        else f"{did} offers no service that can be read: its DDO is encrypted, revoked or none. If "
        "you know the service's place in it, name that: --service 0 is the first"
    )


def as_text(facts: dict[str, Any]) -> str:
    """For people."""
    paid = [str(Amount(**cost)) for cost in facts["costs"]]
    lines = [
        f"ordered {facts['service']} of {facts['did']}",
        f"  paid: {', '.join(paid) or 'nothing'}, and the gas",
        f"  datatoken: {facts['datatoken']} ({facts['source']})",
        f"  tx: {facts['order']['txId']}",
        f"# under the input of a job whose owner is {facts['consumer']}",
        f'order: {{txId: "{facts["order"]["txId"]}", serviceId: {facts["order"]["serviceId"]}}}',
    ]
    return "\n".join(lines)


def _flow(order: dict[str, str]) -> str:
    return ", ".join(f"{name}: {json.dumps(value)}" for name, value in order.items())


async def _bought(wish: Wish, chain: OpenChain, key: bytes, agreed: bool) -> dict[str, Any] | None:
    """None if the person didn't agree."""
    reader = open_reader(chain.url, chain.spec)
    try:
        item = await item_of(reader, wish)
    finally:
        await reader.close()
    async with opened_buyer(chain.url, key) as buyer:
        quote = await buyer.quote(item.datatoken)
        costs = tuple([await _amount(buyer, cost) for cost in quote.costs])
        deal = Deal(wish=wish, item=item, quote=quote, costs=costs, buyer=buyer.address)
        said.print(deal.question(), markup=False, soft_wrap=True)
        if not (agreed or _agrees()):
            return None
        return deal.facts(await buyer.order(quote, item.place, wish.consumer))


async def item_of(reader: OceanReader, wish: Wish) -> Item:
    """The datatoken and the service's place. Raises NotFound, UserError."""
    creation = await reader.creation(wish.did)
    if creation is None:
        raise NotFound(f"chain {reader.chain_id} has no NFT with the DID {wish.did}")
    ddo = await reader.current_ddo(creation)
    services = services_in(ddo.content) if ddo else ()
    if not services and wish.service.isdecimal():
        return Item(creation.datatoken, "", int(wish.service))
    found = choose(services, wish.service, wish.did)
    datatoken = found.datatoken or creation.datatoken
    if datatoken.lower() not in map(str.lower, await reader.datatokens(creation.nft)):
        raise UserError(
            f"{wish.did} sells its service {found.id} for datatoken {datatoken!r}, which "
            "is none of its own: whoever wrote its DDO sells something else; nothing was paid"
        )
    return Item(datatoken, found.id, found.index)


async def _amount(buyer: Buyer, cost: Cost) -> Amount:
    token = await buyer.quotes.facts(cost.token)
    amount = whole(cost.wei, token.decimals)
    return Amount(what=cost.what, amount=amount, symbol=token.symbol, token=cost.token)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        said.print("nothing was paid: say --yes to pay that", markup=False)
        return False
    return typer.confirm("Pay that?", err=True)


def _check(wish: Wish) -> None:
    if not DID.fullmatch(wish.did):
        raise UserError(f'"{wish.did}" is no DID: it is did:op: and 64 hex digits')
    if wish.consumer and not ADDRESS.fullmatch(wish.consumer):
        raise UserError(f'--consumer "{wish.consumer}" is no address: it is 0x and 40 hex digits')
