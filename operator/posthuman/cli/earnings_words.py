"""What `posthuman earnings` prints for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from posthuman.cli.earnings_account import AssetAccount, OrderLine, OwnerAccount, SoldLine


def lines_of_asset(found: AssetAccount) -> list[str]:
    """Only what there is to tell."""
    facts = [*_money_lines(found), *_datatoken_lines(found)]
    return [
        found.name,
        f"  {found.did}",
        f"  owner {found.owner}, datatoken {found.datatoken}",
        f"  orders: {len(found.orders)}",
        *(f"    {_order(order)}" for order in found.orders),
        *(f"  {fact}" for fact in facts),
    ]


def lines_of_owner(found: OwnerAccount) -> list[str]:
    """Its assets, then its shares as a market's owner."""
    number = len(found.assets)
    lines = [f"{found.address} owns {_counted(str(number), 'asset')}"]
    for asset in found.assets:
        lines += ["", *lines_of_asset(asset)]
    lines += ["", f"as a market's owner: {_listed(found.market_in_all)}"]
    for share in found.market_shares:
        lines.append(f"  {share.money} of {_counted(str(share.orders), 'order')} of {share.did}")
    return lines


def _order(order: OrderLine) -> str:
    paid = f", paid by {order.payer}" if order.payer != order.consumer else ""
    fees = "".join(f", {fee.money} {fee.kind} fee" for fee in order.fees)
    if order.reuses:
        return f"{order.at}  {order.reuses} used again by {order.payer}{fees}"
    return f"{order.at}  {order.service} for {order.consumer}{paid}{fees}: {order.tx_id}"


def _money_lines(found: AssetAccount) -> Iterable[str]:
    for sold in found.sold:
        yield _sold(sold)
    if found.waiting:
        yield f"waiting at the exchange for the owner to collect: {_listed(found.waiting)}"
    for fee in found.fees:
        yield f"{fee.kind} fees: {fee.money} to {fee.to}"


def _datatoken_lines(found: AssetAccount) -> Iterable[str]:
    if found.given_away != "0":
        yield f"given away by the dispenser: {_counted(found.given_away, 'datatoken')}"
    if found.handed_out != "0":
        yield f"sent to others by the owner: {_counted(found.handed_out, 'datatoken')}"
    yield f"minted so far: {_counted(found.minted, 'datatoken')}"
    if found.orders:
        yield (
            f"of the datatokens ordered with: {found.returned} back to the owner's side, "
            f"{found.community} to Ocean's community"
        )


def _sold(sold: SoldLine) -> str:
    parts = [f"{sold.owner} the owner's"]
    parts += [f"{sold.market} the market's"] if sold.market.amount != "0" else []
    parts += [f"{sold.ocean} Ocean's community's"] if sold.ocean.amount != "0" else []
    number = _counted(sold.datatokens, "datatoken")
    return f"sold at the exchange: {number} for {sold.paid}: {', '.join(parts)}"


def _counted(number: str, what: str) -> str:
    return f"{number} {what}" if number == "1" else f"{number} {what}s"


def _listed(amounts: Iterable[object]) -> str:
    return ", ".join(map(str, amounts)) or "nothing"
