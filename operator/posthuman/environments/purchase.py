"""What a job's orders pay for, as the chain and the claims tell it: facts, and their arithmetic.

An order is one `startOrder` and all its reuses. Anybody may call `reuseOrder` and sign a provider's
fee of nothing for it, so a reuse begins a paid period of its own (until its fee's `validUntil`) but
never outlasts what the datatoken itself bought: the service's timeout, counted from `startOrder`.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.assets.services import ServiceFacts
from posthuman.chain import Order
from posthuman.environments.verdict import Refusal
from posthuman.ports import OrderClaim


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one input. `claim`: with whatever its former holder owed; `read_at`: epoch
    seconds."""

    nft_owner: str
    services: tuple[ServiceFacts, ...] = ()  # of the asset's DDO as it stands
    order: Order | Refusal | None = None  # None: not mined, or none was named
    claim: OrderClaim = OrderClaim(order_id="")
    read_at: int = 0


def order_id(order: Order) -> str:
    """Names an order for good: a transaction's hash covers its chain's id (EIP-155)."""
    return order_id_of(order.datatoken, order.tx_id)


def order_id_of(datatoken: str, tx_id: str) -> str:
    """By the transaction of startOrder."""
    return f"{datatoken.lower()}/{tx_id.lower()}"


def paying_transaction(order: Order) -> str:
    """The one that the job names: it paid for the running time that the job may have."""
    return order.reuse_tx_id or order.tx_id


def expires_at(order: Order, service: ServiceFacts) -> int:
    """Epoch seconds after which no job may start on it; 0: never."""
    ends = [order.timestamp + service.timeout_seconds] if service.timeout_seconds else []
    ends += [order.valid_until] if order.valid_until else []
    return min(ends, default=0)


def paid_seconds(order: Order, service: ServiceFacts, claim: OrderClaim) -> float | None:
    """Running time that it pays for and that nobody has used; None: without a limit."""
    used = claim.used_seconds
    left = []
    if service.timeout_seconds:
        left.append(service.timeout_seconds - sum(used.values()))
    if order.valid_until:
        period = order.valid_until - (order.reused_at or order.timestamp)
        left.append(period - used.get(paying_transaction(order), 0.0))
    return max(0.0, min(left)) if left else None


def to_be_paid(
    job: ComputeJob, environment: ComputeEnvironment, assets: Mapping[str, ModelAsset | None]
) -> dict[str, ModelAsset]:
    """Published assets among the inputs (by input's name) that need an order, or their owner."""
    policy = environment.spec.policy
    if not policy.verify_orders:
        return {}
    found = {given.name: assets.get(given.name) for given in job.spec.inputs}
    return {
        name: asset
        for name, asset in found.items()
        if asset
        and is_true(asset.status.conditions, "Ready")
        and asset.status.did not in policy.open_assets
    }
