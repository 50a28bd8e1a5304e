"""While a block is waited for the node is asked for nothing but its latest block."""

from __future__ import annotations

from typing import Any

from posthuman.api.meta import Key
from posthuman.assets.pacing import WHOLE_LOOK_SECONDS
from posthuman.assets.reconcile import AssetReconciler
from tests.assets.world import World, at_rest, begun, model_asset


async def waiting(**chain: Any) -> tuple[World, Key, AssetReconciler]:
    """A publication whose creation waits in the pool, and was looked at since."""
    world = World(**chain)
    world.chain.automine = False
    key, operator = world.add(), world.operator()
    await world.run_until(begun, operator, key)
    for _ in range(2):
        await world.one_pass(operator, key)
    world.chain.calls.clear()
    return world, key, operator


async def test_to_wait_for_a_block_costs_one_request_a_look() -> None:
    world, key, operator = await waiting()
    for _ in range(10):
        await world.one_pass(operator, key)
    assert world.chain.calls == ["latest_block"] * 10


async def test_those_that_have_waited_for_long_share_the_answer() -> None:
    world = World()
    world.chain.automine = False
    keys = [world.add(model_asset(name)) for name in ("one", "two", "three")]
    operator = world.operator()
    for key in keys:
        await world.run_until(begun, operator, key)
    for _ in range(2):
        for key in keys:
            await world.one_pass(operator, key)
    world.clock.forward(12)
    world.chain.calls.clear()
    for key in keys:
        await operator.reconcile(key)
    assert world.chain.calls == ["latest_block"]
    world.chain.mine()
    world.clock.forward(1)
    await operator.reconcile(keys[0])
    assert "receipt" in world.chain.calls


async def test_a_new_block_is_looked_at_wholly() -> None:
    world, key, operator = await waiting()
    world.chain.mine()
    await world.one_pass(operator, key)
    assert {"nonces", "receipt"} <= set(world.chain.calls)
    world.chain.automine = True
    await world.run_until(at_rest, operator, key)


async def test_what_a_pool_dropped_is_brought_again_though_no_block_comes() -> None:
    world, key, operator = await waiting()
    world.chain.pool.clear()
    world.clock.forward(WHOLE_LOOK_SECONDS)
    await world.one_pass(operator, key)
    assert world.chain.calls[-1] == "send"


async def test_confirmations_are_waited_for_as_quietly() -> None:
    world, key, operator = await waiting(confirmations=3)
    world.chain.mine()
    for _ in range(2):
        await world.one_pass(operator, key)
    assert world.condition(key).reason == "Confirming"
    world.chain.calls.clear()
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.chain.calls == ["latest_block"] * 5


async def test_a_node_that_answers_no_more_is_told_though_nothing_new_was_expected() -> None:
    world, key, operator = await waiting()
    world.chain.reachable = False
    await world.one_pass(operator, key)
    assert world.condition(key).reason == "ChainUnreachable"


async def test_a_new_term_writes_its_epoch_though_no_block_came() -> None:
    world, key, operator = await waiting()
    world.cluster.epoch = "3-first-again"
    await world.one_pass(operator, key)
    assert world.asset(key).status.epoch == "3-first-again"


async def test_a_waiting_look_reads_no_nonce_book() -> None:
    """It would be a request to the API server a look."""
    world, key, operator = await waiting()
    reads = 0
    read = world.cluster.nonce_book

    async def counted(chain_id: int, signer: str) -> object:
        nonlocal reads
        reads += 1
        return await read(chain_id, signer)

    vars(world.cluster)["nonce_book"] = counted
    await world.operator().reconcile(key)
    assert reads
    reads = 0
    for _ in range(5):
        await world.one_pass(operator, key)
    assert reads == 0
