"""Blocks and RPC calls that publications take: a hundred together, and one after another.

`python -m benchmarks.publications`: the operator's queue and reconcile, as they run in a cluster,
over objects in memory and a real EVM node (anvil) with Ocean's contracts, a block of 30 M gas every
few seconds. Blocks are what counts: on Ethereum one comes every 12 s, on Polygon every 2 s.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.reconcile import AssetReconciler
from posthuman.bootstrap import SystemClock
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ledger.ocean import OceanLedger, open_ledger
from posthuman.metrics import Metrics
from posthuman.queue import Item, WorkQueue
from tests.assets.world import World, at_rest, model_asset
from tests.services.chain import Chain, running_chain

BLOCK_GAS = 30_000_000
METHODS = (
    "eth_chainId",
    "eth_blockNumber",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_estimateGas",
    "eth_gasPrice",
    "eth_getBlockByNumber",
    "eth_getBalance",
    "eth_call",
    "eth_getLogs",
    "eth_sendRawTransaction",
)
ALONE = 10  # publications one after another: each takes the same


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one run."""

    publications: int
    blocks: int  # from the last one that was submitted to the last one that was published
    gas: int
    http_requests: int
    calls: Mapping[str, int]  # by method

    def methods(self, name: str) -> str:
        """One row of the other table."""
        each = [self.calls.get(method, 0) / self.publications for method in METHODS]
        rest = (sum(self.calls.values()) / self.publications) - sum(each)
        return f"| {name} | {' | '.join(f'{count:.1f}' for count in [*each, rest])} |"

    def line(self, name: str) -> str:
        """One row of a table."""
        least = math.ceil(self.gas / BLOCK_GAS)
        each = self.publications
        return (
            f"| {name} | {each} | {self.blocks} | {self.blocks / each:.2f} | {least} "
            f"| {self.gas / each / 1e6:.2f} M | {self.http_requests / each:.1f} "
            f"| {sum(self.calls.values()) / each:.1f} |"
        )


class Operator:
    """The queue and the reconcile over a world of their own."""

    def __init__(self, chain: Chain, ledger: OceanLedger) -> None:
        self.chain = chain
        self.ledger = ledger
        self._moved = asyncio.Event()
        self.world = World(lambda: ledger)
        reconciler = AssetReconciler(
            self.world.cluster,
            _of(self.world.store),
            _of(ledger),
            SystemClock(),
            _of(self.world.open_reader()),
            ProviderEncryptor,
        )

        async def reconcile(item: Item) -> float | None:
            return await reconciler.reconcile(item.key)

        self.queue = WorkQueue(reconcile, observer=Metrics())
        self.world.cluster.objects.on_change(self._changed)

    def _changed(self, kind: str, key: Key) -> None:
        if kind == "ModelAsset":
            self._moved.set()
            self.queue.wake(Item(kind, key))

    def submit(self, name: str) -> Key:
        """Somebody applies an asset."""
        return self.world.add(model_asset(name))

    async def published(self, keys: list[Key]) -> None:
        """Wait for all of them."""
        while not all(at_rest(self.world.asset(key)) for key in keys):
            self._moved.clear()
            await self._moved.wait()

    async def block(self) -> int:
        """The chain's latest."""
        return int(await self.chain.rpc("eth_blockNumber"), 16)

    def figures(self, blocks: int) -> Figures:
        """What was counted."""
        assets = self.world.cluster.objects.all(ModelAsset)
        asked = self.ledger.asked
        return Figures(
            publications=len(assets),
            blocks=blocks,
            gas=sum(found.status.gas_used for found in assets),
            http_requests=asked.http_requests,
            calls=asked.calls,
        )


def _of(port: Any) -> Callable[[Any], Awaitable[Any]]:
    async def of(environment: Any) -> Any:
        return port

    return of


async def together(operator: Operator, count: int) -> int:
    """Blocks until all are published, from the last one submitted."""
    keys = [operator.submit(f"model-{number}") for number in range(count)]
    submitted = await operator.block()
    await operator.published(keys)
    return await operator.block() - submitted


async def one_after_another(operator: Operator, count: int) -> int:
    """Each is submitted when the one before it is published."""
    began = await operator.block()
    for number in range(count):
        await operator.published([operator.submit(f"model-{number}")])
    return await operator.block() - began


Way = Callable[[Operator, int], Awaitable[int]]


async def measure(chain: Chain, way: Way, count: int, block_seconds: float) -> Figures:
    """With an account of its own."""
    account = await chain.new_account()
    ledger = open_ledger(chain.url, bytes(account.key), chain.spec())
    operator = Operator(chain, ledger)
    await chain.rpc("evm_setBlockGasLimit", hex(BLOCK_GAS))
    await chain.rpc("evm_setAutomine", False)
    await chain.rpc("evm_setIntervalMining", block_seconds)
    working = asyncio.create_task(operator.queue.run())
    blocks = await way(operator, count)
    operator.queue.stop()
    await working
    await chain.rpc("evm_setIntervalMining", 0)
    await chain.rpc("evm_setAutomine", True)
    await ledger.close()
    return operator.figures(blocks)


async def run(chain: Chain, count: int, block_seconds: int) -> None:
    """Print a table."""
    print("| way | publications | blocks | blocks each | least | gas each | HTTP each | RPC each |")
    print("|---|---|---|---|---|---|---|---|")
    alone = await measure(chain, one_after_another, ALONE, 1)
    print(alone.line("one after another"), flush=True)
    shared = await measure(chain, together, count, block_seconds)
    print(shared.line("together"), flush=True)
    print(f"\n| RPC calls each | {' | '.join(METHODS)} | others |")
    print("|---" * (len(METHODS) + 2) + "|")
    print(alone.methods("one after another"))
    print(shared.methods("together"))
    wanted = math.ceil(shared.gas / BLOCK_GAS) + 3
    print(f"\n{shared.blocks} blocks for {count} together; wanted: at most {wanted}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Blocks and RPC calls of publications.")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--block-seconds", type=int, default=12)
    options = parser.parse_args()
    with running_chain() as chain:
        asyncio.run(run(chain, options.count, options.block_seconds))


if __name__ == "__main__":
    main()
