"""Alice's model is for sale, an hour of training an order; who names none gets nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.job import OrderRecord
from posthuman.api.meta import Key
from posthuman.chain import Order
from posthuman.environments.purchase import order_id_of
from posthuman.jobs.steps import Role
from posthuman.ports import OrderClaim
from tests.assets.lines import ddo, put_line, service
from tests.builders import BOB, CHAIN, MODEL_INPUT, NOW, TEXT_INPUT, asset
from tests.jobs.world import World

HOUR = 3600
TOKEN = "0x" + "d" * 40
TX, OTHER, REUSE = "0x" + "a" * 64, "0x" + "c" * 64, "0x" + "b" * 64
FIRST, SECOND = "11112222-3333", "44445555-6666"


class Shop(World):
    """A world whose environment verifies orders; TX is Bob's order."""

    def __init__(self, confirmations: int = 1, **policy: Any) -> None:
        super().__init__(
            chain={**CHAIN, "confirmations": confirmations},
            policy={"verifyOrders": True, **policy},
        )
        self.chain.block = 10
        found = asset()
        self.objects.create(found)
        made = self.objects.find(ModelAsset, found.metadata.key)
        assert made
        status = msgspec.structs.replace(found.status, datatoken=TOKEN)
        self.objects.write_status(msgspec.structs.replace(made, status=status))
        sold = ddo({**service("train"), "timeout": HOUR}, service("infer"), service("evaluate"))
        put_line(self.chain, found, sold)
        self.order()

    def order(self, tx_id: str = TX, **changes: Any) -> None:
        """Somebody orders, in the last block."""
        order = Order(
            tx_id=tx_id,
            datatoken=TOKEN,
            consumer=BOB,
            payer=BOB,
            service_index=0,
            timestamp=int(NOW.timestamp()),
            block=self.chain.block,
            confirmations=0,
        )
        named = changes.get("reuse_tx_id", tx_id)
        self.chain.orders[named] = msgspec.structs.replace(order, **changes)

    def submit_on(
        self, tx_id: str = TX, name: str = "bob-trains", uid: str = FIRST, **spec: Any
    ) -> Key:
        """A training on this order."""
        return self.submit(name, uid, **{"inputs": inputs(tx_id), **spec})

    def claim(self, tx_id: str = TX) -> OrderClaim:
        """Who uses the order."""
        return self.objects.order_claim(order_id_of(TOKEN, tx_id))

    def record(self, key: Key) -> OrderRecord:
        """What the job was found to have bought."""
        (record,) = self.status(key).orders
        return record

    async def finish_after(self, key: Key, seconds: float) -> None:
        """The job's pods run so long, and it ends."""
        await self.to_running(key)
        self.clock.forward(seconds)
        self.cluster.end(self.step(Role.RUN), ended_at=self.clock.now().isoformat())
        await self.passes(key)
        await self.export(key)


def inputs(tx_id: str = TX) -> list[dict[str, Any]]:
    """Alice's model, paid for by this order, and a text."""
    return [TEXT_INPUT, {**MODEL_INPUT, "order": {"txId": tx_id}}]
