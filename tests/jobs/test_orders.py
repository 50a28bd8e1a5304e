"""A job starts on an order of its own, and has the running time that it paid for."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import msgspec

from posthuman.api.conditions import is_true
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.chain import SetDDO
from posthuman.errors import Conflict
from posthuman.ports import OrderClaim
from tests.assets.lines import ddo, service
from tests.builders import BOB, MODEL_INPUT, TEXT_INPUT, asset
from tests.jobs.shop import FIRST, HOUR, OTHER, REUSE, SECOND, TOKEN, TX, Shop, inputs


def accepted(shop: Shop, key: Key) -> bool:
    return is_true(shop.status(key).conditions, "Accepted")


def message(shop: Shop, key: Key) -> str:
    return next(found.message for found in shop.status(key).conditions if found.type == "Succeeded")


async def test_a_paid_job_runs_and_says_what_it_bought() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.passes(key)
    assert shop.status(key).phase is Phase.STAGING
    record = shop.record(key)
    assert (record.input, record.tx_id, record.datatoken) == ("model", TX, TOKEN)
    assert record.paid_seconds == HOUR
    assert (shop.claim().holder, shop.claim().holder_uid) == (key, FIRST)
    await shop.finish_after(key, 600)
    assert shop.status(key).phase is Phase.SUCCEEDED
    assert (shop.claim().holder_uid, shop.claim().used_seconds) == ("", {TX: 600.0})
    assert shop.status(key).inputs[1].did == asset().status.did


async def test_who_names_no_order_gets_nothing() -> None:
    shop = Shop()
    key = shop.submit(inputs=[TEXT_INPUT, MODEL_INPUT])
    await shop.passes(key)
    assert (shop.status(key).phase, shop.reason(key)) == (Phase.FAILED, "OrderMissing")
    assert not shop.cluster.made


async def test_without_verify_orders_nobody_asks() -> None:
    shop = Shop(verifyOrders=False)
    shop.chain.orders.clear()
    key = shop.submit_on()
    await shop.passes(key)
    assert accepted(shop, key)
    assert shop.status(key).orders == ()


async def test_its_owner_needs_no_order() -> None:
    shop = Shop()
    shop.chain.nfts[asset().status.nft].owner = BOB
    key = shop.submit(inputs=[TEXT_INPUT, MODEL_INPUT])
    await shop.passes(key)
    assert accepted(shop, key)
    assert shop.status(key).orders == ()


async def test_an_order_is_waited_for_until_it_is_confirmed() -> None:
    shop = Shop(confirmations=3)
    shop.chain.orders.clear()
    key = shop.submit_on()
    assert await shop.passes(key), "looks again by itself"
    assert shop.reason(key) == "OrderNotFound"
    shop.order()
    for reason in ("OrderUnconfirmed", "OrderUnconfirmed"):
        assert await shop.passes(key)
        assert shop.reason(key) == reason
        shop.chain.mine()
    await shop.passes(key)
    assert accepted(shop, key)


async def test_a_node_that_is_away_makes_it_wait() -> None:
    shop = Shop()
    shop.chain.reachable = False
    key = shop.submit_on()
    assert await shop.passes(key)
    assert (shop.status(key).phase, shop.reason(key)) == (Phase.PENDING, "ChainUnreachable")
    shop.chain.reachable = True
    await shop.passes(key)
    assert accepted(shop, key)


async def test_once_accepted_it_needs_no_chain() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.passes(key)
    shop.chain.reachable = False
    shop.chain.orders.clear()
    await shop.finish_after(key, 60)
    assert shop.status(key).phase is Phase.SUCCEEDED


async def test_a_second_job_waits_and_gets_what_is_left() -> None:
    shop = Shop()
    first, second = shop.submit_on(), shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(first)
    assert await shop.passes(second), "looks again by itself"
    assert shop.reason(second) == "OrderInUse"
    assert "job bob/bob-trains" in message(shop, second)
    await shop.finish_after(first, 1000)
    await shop.passes(second)
    assert shop.record(second).paid_seconds == HOUR - 1000
    assert shop.claim().holder_uid == SECOND


async def test_what_is_used_up_starts_nothing() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.finish_after(key, HOUR)
    shop.order(timestamp=int(shop.clock.now().timestamp()))  # not expired, only used
    again = shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(again)
    assert (shop.status(again).phase, shop.reason(again)) == (Phase.FAILED, "OrderUsedUp")


async def test_a_reuse_buys_time_that_the_service_still_has() -> None:
    shop = Shop()
    shop.order(valid_until=int(shop.clock.now().timestamp()) + 100)
    first = shop.submit_on()
    await shop.passes(first)
    assert shop.record(first).paid_seconds == 100
    await shop.finish_after(first, 100)
    now = int(shop.clock.now().timestamp())
    shop.order(reuse_tx_id=REUSE, reused_at=now, valid_until=now + 200)
    again = shop.submit_on(REUSE, "bob-again", SECOND)
    await shop.passes(again)
    record = shop.record(again)
    assert (record.tx_id, record.reuse_tx_id, record.paid_seconds) == (TX, REUSE, 200)
    await shop.finish_after(again, 50)
    assert shop.claim().used_seconds == {TX: 100.0, REUSE: 50.0}


async def test_an_order_and_its_reuse_are_one_order() -> None:
    shop = Shop()
    now = int(shop.clock.now().timestamp())
    shop.order(reuse_tx_id=REUSE, reused_at=now, valid_until=now + 200)
    first, second = shop.submit_on(), shop.submit_on(REUSE, "bob-again", SECOND)
    await shop.passes(first)
    await shop.passes(second)
    assert (accepted(shop, first), shop.reason(second)) == (True, "OrderInUse")


async def test_the_paid_time_is_the_job_s_limit() -> None:
    shop = Shop()
    key = shop.submit_on(timeout="2h", retries=3)
    await shop.to_running(key)
    shop.clock.forward(HOUR - 1)
    assert await shop.passes(key) == 1.0
    shop.clock.forward(1)
    await shop.passes(key)
    assert shop.status(key).outcome == "Failed"
    await shop.passes(key)
    await shop.export(key, "Failed")
    assert (shop.status(key).phase, shop.reason(key)) == (Phase.FAILED, "PaidTimeOver")
    assert "3600 s of running time" in message(shop, key)
    assert shop.claim().used_seconds == {TX: HOUR}


async def test_a_shorter_timeout_stays_the_limit() -> None:
    shop = Shop()
    key = shop.submit_on(timeout="60s")
    await shop.to_running(key)
    shop.clock.forward(61)
    await shop.passes(key)
    await shop.export(key, "Failed")
    assert shop.reason(key) == "DeadlineExceeded"


async def test_waiting_in_the_queue_uses_nothing() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.passes(key)
    shop.clock.forward(10 * HOUR)
    await shop.finish_after(key, 30)
    assert shop.status(key).phase is Phase.SUCCEEDED
    assert shop.claim().used_seconds == {TX: 30.0}


async def test_a_deleted_job_gives_its_order_back_without_what_it_used() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.to_running(key)
    shop.clock.forward(300)
    shop.objects.delete(ComputeJob, key)
    await shop.passes(key)
    assert shop.objects.find(ComputeJob, key) is None
    assert (shop.claim().holder_uid, shop.claim().used_seconds) == ("", {TX: 300.0})


async def test_a_suspended_job_keeps_its_order() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.to_running(key)
    shop.edit(key, suspend=True)
    await shop.passes(key)
    other = shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(other)
    assert (shop.status(key).phase, shop.reason(other)) == (Phase.SUSPENDED, "OrderInUse")


async def test_stopped_between_its_claim_and_its_acceptance() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.reconciler.reconcile(key)
    assert shop.record(key), "what it is going to claim is written first"
    taken = msgspec.structs.replace(shop.claim(), holder=key, holder_uid=FIRST, paid_by=TX)
    shop.objects.save_order_claim(taken)
    shop.edit(key, stop=True)
    await shop.passes(key)
    assert shop.status(key).phase is Phase.STOPPED
    assert (shop.claim().holder_uid, shop.claim().used_seconds) == ("", {})


async def test_a_holder_whose_finalizer_was_taken_pays_for_all_the_time_since() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.to_running(key)
    shop.objects.delete(ComputeJob, key)
    shop.objects.set_finalizer(ComputeJob, key, False)
    assert shop.objects.find(ComputeJob, key) is None
    shop.clock.forward(1200)
    again = shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(again)
    assert shop.record(again).paid_seconds == HOUR - 1200
    assert shop.claim().used_seconds == {TX: 1200.0}


async def test_time_that_goes_on_meanwhile_doesn_t_keep_the_next_one_waiting() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.passes(key)
    shop.objects.delete(ComputeJob, key)
    shop.objects.set_finalizer(ComputeJob, key, False)
    again = shop.submit_on(TX, "bob-again", SECOND)
    for _ in range(3):
        shop.clock.forward(10)
        await shop.passes(again, 1)
    assert accepted(shop, again)
    assert shop.claim().used_seconds == {TX: 20.0}
    assert shop.record(again).paid_seconds == HOUR - 20


async def test_whoever_takes_over_from_a_finished_holder_charges_what_it_used() -> None:
    """The next job may be quicker than the last pass of the one before."""
    shop = Shop()
    key = shop.submit_on()
    await shop.finish_after(key, 700)
    shop.objects.save_order_claim(
        msgspec.structs.replace(
            shop.claim(), holder=key, holder_uid=FIRST, paid_by=TX, used_seconds={}
        )
    )
    again = shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(again)
    assert shop.record(again).paid_seconds == HOUR - 700
    await shop.passes(key)
    assert (shop.claim().holder_uid, shop.claim().used_seconds) == (SECOND, {TX: 700.0})


async def test_a_namesake_of_the_holder_is_another_job() -> None:
    shop = Shop()
    key = shop.submit_on()
    await shop.passes(key)
    shop.objects.delete(ComputeJob, key)
    shop.objects.set_finalizer(ComputeJob, key, False)
    shop.clock.forward(60)
    shop.submit_on(TX, "bob-trains", SECOND)
    await shop.passes(key)
    assert accepted(shop, key)
    assert shop.claim().holder_uid == SECOND


async def test_a_holder_that_no_cache_shows_yet_keeps_its_order() -> None:
    shop = Shop()
    first, second = shop.submit_on(), shop.submit_on(TX, "bob-again", SECOND)
    await shop.passes(first)
    shop.reconciler = shop.with_ports(_Lagging(shop, first))
    await shop.passes(second)
    assert shop.reason(second) == "OrderInUse"


class _Lagging:
    """A cluster whose cache hasn't seen one job."""

    def __init__(self, shop: Shop, unseen: Key) -> None:
        self._cluster = shop.cluster
        self._unseen = unseen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def job(self, key: Key, fresh: bool = False) -> ComputeJob | None:
        unseen = key == self._unseen and not fresh
        return None if unseen else await self._cluster.job(key)


class _InStep:
    """A cluster that answers both racers' reads of a claim before either of them writes, and then
    lets them write by turns."""

    def __init__(self, shop: Shop, racers: int) -> None:
        self._cluster = shop.cluster
        self._barrier = asyncio.Barrier(racers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def order_claim(self, order_id: str) -> OrderClaim:
        found = await self._cluster.order_claim(order_id)
        await self._barrier.wait()
        return found

    async def save_order_claim(self, claim: OrderClaim) -> None:
        await asyncio.sleep(0)  # the other one's turn
        await self._cluster.save_order_claim(claim)


async def test_two_operators_race_for_one_order() -> None:
    shop = Shop()
    keys = [shop.submit_on(), shop.submit_on(TX, "bob-again", SECOND)]
    together: Any = _InStep(shop, 2)
    racers = [shop.with_ports(together) for _ in keys]
    await asyncio.gather(*(r.reconcile(key) for r, key in zip(racers, keys, strict=True)))
    said = await asyncio.gather(
        *(r.reconcile(key) for r, key in zip(racers, keys, strict=True)), return_exceptions=True
    )
    assert [type(found) for found in said if isinstance(found, Exception)] == [Conflict]
    assert sum(accepted(shop, key) for key in keys) == 1
    for key in keys:
        await shop.passes(key)
    assert sorted(shop.reason(key) for key in keys) == ["OrderInUse", "Staging"]


async def test_two_orders_are_taken_both_or_in_one_order() -> None:
    """Bob's two jobs each want both: neither waits for the other for ever."""
    shop = Shop()
    shop.order(TX, service_index=2)
    shop.order(OTHER, service_index=2)
    evaluate = {"builtin": {"name": "evaluate"}}
    keys = [
        shop.submit("one", FIRST, inputs=two_models(TX, OTHER), algorithm=evaluate),
        shop.submit("two", SECOND, inputs=two_models(OTHER, TX), algorithm=evaluate),
    ]
    together: Any = _InStep(shop, 2)
    racers = [shop.with_ports(together) for _ in keys]
    for _ in range(2):
        await asyncio.gather(
            *(r.reconcile(key) for r, key in zip(racers, keys, strict=True)),
            return_exceptions=True,
        )
    for key in keys:
        await shop.passes(key)
    assert sum(accepted(shop, key) for key in keys) == 1
    assert shop.claim(TX).holder_uid == shop.claim(OTHER).holder_uid


def two_models(first: str, second: str) -> list[dict[str, Any]]:
    """Alice's model twice, each time for another order."""
    text, model = inputs(first)
    return [text, model, {**inputs(second)[1], "name": "teacher"}]


async def test_the_services_are_those_of_the_ddo_that_stands() -> None:
    shop = Shop()
    ddos = shop.chain.nfts[asset().status.nft].ddos
    now = ddo(service("evaluate"), service("infer"), {**service("train"), "timeout": 60})
    ddos.append(SetDDO(content=now, digest=hashlib.sha256(now).hexdigest()))
    old = shop.submit_on()
    await shop.passes(old)
    assert shop.reason(old) == "OrderForOtherService"
    shop.order(OTHER, service_index=2)
    new = shop.submit_on(OTHER, "bob-again", SECOND)
    await shop.passes(new)
    assert shop.record(new).paid_seconds == 60


async def test_one_that_only_its_owner_can_read_is_waited_for() -> None:
    """Whatever it sells: nobody is refused by guesses."""
    shop = Shop()
    shop.order(service_index=1)
    ddos = shop.chain.nfts[asset().status.nft].ddos
    ddos.append(SetDDO(content=b"", digest="0" * 64, encrypted=True))
    key = shop.submit_on()
    await shop.passes(key)
    assert (shop.status(key).phase, shop.reason(key)) == (Phase.PENDING, "MetadataUnreadable")


async def test_an_input_named_by_its_did_is_the_asset() -> None:
    shop, did = Shop(), asset().status.did
    model = {"name": "model", "kind": "model", "did": did}
    key = shop.submit(inputs=[TEXT_INPUT, model])
    await shop.passes(key)
    assert shop.reason(key) == "OrderMissing"
    paid = shop.submit("bob-paid", SECOND, inputs=[TEXT_INPUT, {**model, "order": {"txId": TX}}])
    await shop.passes(paid)
    assert accepted(shop, paid)
    assert shop.status(paid).inputs[1].did == did
