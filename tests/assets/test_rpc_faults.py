"""Whatever a node does wrong, a publication ends right, or says what to do and heals by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.observed import open_record
from posthuman.chain_ports import Ledger
from posthuman.ledger.ocean import open_ledger
from tests.assets.real import RealWorld, check_real
from tests.assets.world import at_rest, begun
from tests.ledger.lying import Call, LyingNode, error, honest, lying_node
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
SEND = "eth_sendRawTransaction"
STEPS = ["create", "metadata", "mint", "transfer"]


class FaultyWorld(RealWorld):
    """A real chain, reached by way of a node that lies."""

    def __init__(
        self, chain: Chain, account: LocalAccount, node: LyingNode, confirmations: int = 1
    ) -> None:
        self.node = node
        self.depth = confirmations
        super().__init__(chain, account, confirmations=confirmations)

    def _open(self) -> Ledger:
        spec = self.real.spec(self.depth)
        ledger = open_ledger(self.node.url, bytes(self.account.key), spec)
        self.opened.append(ledger)
        return ledger


@pytest.fixture
async def world(chain: Chain) -> AsyncIterator[FaultyWorld]:
    async with lying_node(chain.url) as node:
        made = FaultyWorld(chain, await chain.new_account(), node)
        yield made
        await made.close()


@pytest.fixture
async def deep(own_chain: Chain) -> AsyncIterator[FaultyWorld]:
    """Four confirmations are asked for, and the test mines the blocks."""
    async with lying_node(own_chain.url) as node:
        made = FaultyWorld(own_chain, await own_chain.new_account(), node, confirmations=4)
        await own_chain.rpc("evm_setAutomine", False)
        yield made
        await made.close()


def signed(step: str) -> Any:
    """Its bytes are stored."""

    def reached(asset: ModelAsset) -> bool:
        record = open_record(asset.status)
        return record is not None and record.step == step

    return reached


async def until_told(world: FaultyWorld, key: Key, reason: str) -> None:
    """The condition names the trouble."""
    operator = world.operator()

    def told(asset: ModelAsset) -> bool:
        return any(found.reason == reason for found in asset.status.conditions)

    await world.run_until(told, operator, key)


@pytest.mark.parametrize("step", STEPS)
async def test_the_answer_is_lost_after_the_node_took_the_transaction(
    world: FaultyWorld, step: str
) -> None:
    key = world.add()
    await world.run_until(signed(step), world.operator(), key)
    world.node.drop_answer = lambda call: call["method"] == SEND
    await world.one_pass(world.operator(), key)
    assert world.condition(key).reason == "ChainUnreachable"
    world.node.drop_answer = lambda call: False
    await world.publish(key)
    await check_real(world, key)


@pytest.mark.parametrize("message", ["nonce too low", "already known"])
async def test_the_node_says_that_it_has_it_already(world: FaultyWorld, message: str) -> None:
    """And takes it nevertheless, the first time."""
    key, taken = world.add(), set[str]()

    def rule(call: Call) -> dict[str, Any] | None:
        if call["method"] != SEND or call["params"][0] not in taken:
            taken.update(call["params"] if call["method"] == SEND else [])
            return None
        return error(message)

    world.node.rule = rule
    await world.publish(key)
    await check_real(world, key)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (error("replacement transaction underpriced"), "Underpriced"),
        (error("transaction underpriced: tip needed 25000000000"), "Underpriced"),
        (error("txpool is full"), "ChainFault"),
        (error("insufficient funds for gas * price + value"), "PurseEmpty"),
        (error("daily request count exceeded", -32005), "RateLimited"),
    ],
)
async def test_the_node_does_not_take_it_for_a_while(
    world: FaultyWorld, said: dict[str, Any], reason: str
) -> None:
    key = world.add()
    world.node.rule = lambda call: said if call["method"] == SEND else None
    await until_told(world, key, reason)
    world.node.rule = honest
    await world.publish(key)
    await check_real(world, key)


@pytest.mark.parametrize(("status", "reason"), [(429, "RateLimited"), (503, "ChainUnreachable")])
@pytest.mark.parametrize("step", ["create", "mint"])
async def test_the_node_answers_nothing_for_a_while(
    world: FaultyWorld, status: int, reason: str, step: str
) -> None:
    key = world.add()
    await world.run_until(signed(step), world.operator(), key)
    world.node.status = status
    await until_told(world, key, reason)
    world.node.status = 200
    await world.publish(key)
    await check_real(world, key)


async def test_a_transaction_dropped_from_the_pool_is_sent_again(deep: FaultyWorld) -> None:
    key, operator = deep.add(), deep.operator()
    await deep.run_until(begun, operator, key)
    await deep.one_pass(operator, key)
    (record,) = deep.asset(key).status.transactions
    assert await deep.real.rpc("anvil_dropTransaction", record.hash)
    await deep.one_pass(operator, key)
    assert await deep.real.rpc("eth_getTransactionByHash", record.hash)
    await deep.real.rpc("evm_setAutomine", True)
    await finish(deep, key)


async def finish(deep: FaultyWorld, key: Key) -> None:
    """Mine until it is published, and look at the chain."""
    operator = deep.operator()
    for _ in range(200):
        if at_rest(deep.asset(key)):
            break
        await deep.one_pass(operator, key)
        await deep.real.rpc("evm_mine")
    await check_real(deep, key)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
async def test_a_receipt_that_a_reorganisation_takes_back(
    deep: FaultyWorld, step: str, depth: int
) -> None:
    key, operator = deep.add(), deep.operator()
    for _ in range(200):
        if signed(step)(deep.asset(key)):
            break
        await deep.one_pass(operator, key)
        await deep.real.rpc("evm_mine")
    record = open_record(deep.asset(key).status)
    assert record
    await deep.one_pass(operator, key)
    for _ in range(depth):
        await deep.real.rpc("evm_mine")
    await deep.one_pass(operator, key)
    assert deep.condition(key).reason == "Confirming"
    await deep.real.rpc("anvil_reorg", depth, [])
    assert await deep.real.rpc("eth_getTransactionReceipt", record.hash) is None
    await finish(deep, key)


@pytest.mark.parametrize("step", STEPS)
async def test_a_lagging_node_hides_nothing_that_was_done(world: FaultyWorld, step: str) -> None:
    """Its answers are of the chain as it was before the step, while a restore lost the status."""
    key = world.add()
    await world.run_until(signed(step), world.operator(), key)
    height = int(await world.real.rpc("eth_blockNumber"), 16)
    await world.one_pass(world.operator(), key)

    def behind(call: Call) -> dict[str, Any] | None:
        if call["method"] == "eth_getTransactionReceipt":
            return {"result": None}
        if call["method"] == "eth_blockNumber":
            return {"result": hex(height)}
        if call["method"] == "eth_getTransactionCount":
            call["params"][1] = hex(height)
        if call["method"] == "eth_getLogs":
            call["params"][0]["toBlock"] = hex(height)
        return None

    world.node.rule = behind
    operator = world.operator()
    for _ in range(8):
        await world.one_pass(operator, key)
    world.node.rule = honest
    await world.publish(key)
    await check_real(world, key)


async def test_a_node_of_another_chain_is_refused_at_every_step(world: FaultyWorld) -> None:
    key = world.add()
    for step in STEPS:
        await world.run_until(signed(step), world.operator(), key)
        before = world.asset(key).status.transactions
        world.node.rule = lambda call: (
            {"result": "0x1"} if call["method"] == "eth_chainId" else None
        )
        await until_told(world, key, "ChainIdMismatch")
        assert world.asset(key).status.transactions == before
        assert "spec.chain.chainId" in world.condition(key).message
        world.node.rule = honest
    await world.publish(key)
    await check_real(world, key)


async def test_an_empty_purse_says_whom_to_send_coins_and_heals(chain: Chain) -> None:
    async with lying_node(chain.url) as node:
        account = await chain.new_account(purse_wei=1)
        world = FaultyWorld(chain, account, node)
        key = world.add()
        await until_told(world, key, "PurseEmpty")
        assert account.address in world.condition(key).message
        await chain.rpc("anvil_setBalance", account.address, hex(10**20))
        await world.publish(key)
        await check_real(world, key)
        await world.close()


async def test_a_chain_without_base_fee_is_paid_with_a_gas_price(world: FaultyWorld) -> None:
    """The node hides its base fee; what it takes are legacy transactions."""
    blocks: dict[str, Any] = {}

    async def ask(number: str) -> None:
        blocks["latest"] = await world.real.rpc("eth_getBlockByNumber", number, False)

    await ask("latest")
    blocks["latest"].pop("baseFeePerGas")

    def rule(call: Call) -> dict[str, Any] | None:
        hidden = call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest"
        return {"result": blocks["latest"]} if hidden else None

    world.node.rule = rule
    key = world.add()
    await world.publish(key)
    await check_real(world, key)
    create = world.asset(key).status.transactions[0]
    found = await world.real.rpc("eth_getTransactionByHash", create.hash)
    assert found["type"] == "0x0"


async def test_a_reverted_transaction_is_paid_for_and_tried_again(world: FaultyWorld) -> None:
    """The chain changed between the estimate and the block: too little gas was estimated."""
    lies = iter([{"result": hex(60_000)}])

    def rule(call: Call) -> dict[str, Any] | None:
        return next(lies, None) if call["method"] == "eth_estimateGas" else None

    world.node.rule = rule
    key = world.add()
    await world.publish(key)
    status = world.asset(key).status
    confirmed = sum(int(found.cost_wei) for found in status.transactions)
    assert int(status.cost_wei) > confirmed
    async with world.real.ledger(world.account) as ledger:
        assert (await ledger.nonces()).mined == 5
        found = await ledger.find(status.publication_id)
        assert found
        assert found.nft == msgspec.structs.asdict(status)["nft"]
