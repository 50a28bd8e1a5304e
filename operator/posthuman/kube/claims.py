"""Claims of orders: one ConfigMap an order in the operator's namespace, taken by creating it and
passed on by compare-and-swap on its resourceVersion.

They outlast their jobs: what an order has been used for is known from nowhere else.
"""

from __future__ import annotations

import hashlib

import msgspec

from posthuman.errors import NotFound
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.resources import CONFIG_MAPS
from posthuman.ports import OrderClaim

CLAIM_KEY = "claim.json"
_DIGITS = 40  # of the name; an order's id is too long for one


class OrderClaims:
    """Reads and writes the claims."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def read(self, order_id: str) -> OrderClaim:
        """As stored, or an unused one."""
        try:
            body = await self._client.get(CONFIG_MAPS, self._namespace, _name(order_id))
        except NotFound:
            return OrderClaim(order_id=order_id)
        claim = msgspec.json.decode(body["data"][CLAIM_KEY], type=OrderClaim)
        return msgspec.structs.replace(claim, version=body["metadata"]["resourceVersion"])

    async def save(self, claim: OrderClaim) -> None:
        """Raises Conflict if it isn't the one that was read, or is there by now."""
        body = self._body(claim)
        if claim.version:
            await self._client.replace(CONFIG_MAPS, body)
        else:
            await self._client.create(CONFIG_MAPS, body)

    def _body(self, claim: OrderClaim) -> Body:
        version = {"resourceVersion": claim.version} if claim.version else {}
        content = msgspec.json.encode(msgspec.structs.replace(claim, version="")).decode()
        name = _name(claim.order_id)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self._namespace, **version},
            "data": {CLAIM_KEY: content},
        }


def _name(order_id: str) -> str:
    return f"order-{hashlib.sha256(order_id.encode()).hexdigest()[:_DIGITS]}"
