"""What is offered for gas, and what a replacement adds."""

from __future__ import annotations

import pytest

from posthuman.chain import UnsignedTransaction
from posthuman.errors import TransientError
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.fees import GWEI, FeePolicy, Fees, Market, offered, raised
from posthuman.ledger.keys import LocalKey
from posthuman.ledger.ocean import fee_policy
from posthuman.ledger.raw import unsigned_of
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.signer import Signer
from tests.ledger.test_rpc import polygon

FREE = FeePolicy(ceiling_wei=500 * GWEI)
MARKET = Market(gas_price_wei=22 * GWEI, base_fee_wei=20 * GWEI)


def test_the_base_fee_may_triple() -> None:
    assert offered(MARKET, FREE) == Fees(max_wei=62 * GWEI, tip_wei=2 * GWEI)


def test_a_chain_without_base_fee_gets_a_gas_price() -> None:
    assert offered(Market(gas_price_wei=5 * GWEI), FREE) == Fees(max_wei=5 * GWEI)


def test_polygons_smallest_tip_is_respected_with_and_without_base_fee() -> None:
    policy = fee_policy(polygon())
    assert offered(MARKET, policy).tip_wei == 30 * GWEI
    assert offered(Market(gas_price_wei=GWEI), policy) == Fees(max_wei=30 * GWEI)


def test_nothing_is_offered_above_the_ceiling() -> None:
    assert offered(MARKET, FeePolicy(ceiling_wei=30 * GWEI)).max_wei == 30 * GWEI
    with pytest.raises(TransientError, match=r"22 gwei.*allows 21") as refused:
        offered(MARKET, FeePolicy(ceiling_wei=21 * GWEI))
    assert refused.value.reason == "FeeCeiling"
    with pytest.raises(TransientError):
        offered(Market(gas_price_wei=22 * GWEI), FeePolicy(ceiling_wei=21 * GWEI))


def test_a_replacement_offers_an_eighth_more_or_what_the_market_asks() -> None:
    old = Fees(max_wei=80 * GWEI, tip_wei=8 * GWEI)
    assert raised(old, MARKET, FREE) == Fees(max_wei=90 * GWEI, tip_wei=9 * GWEI)
    low = Fees(max_wei=GWEI, tip_wei=1)
    assert raised(low, MARKET, FREE) == offered(MARKET, FREE)
    assert raised(Fees(max_wei=7), Market(gas_price_wei=1), FREE) == Fees(max_wei=8)


def test_a_replacement_keeps_below_the_ceiling_too() -> None:
    with pytest.raises(TransientError) as refused:
        raised(Fees(max_wei=80 * GWEI, tip_wei=1), MARKET, FeePolicy(ceiling_wei=89 * GWEI))
    assert refused.value.reason == "FeeCeiling"


@pytest.mark.parametrize("tip_wei", [None, 0, 30 * GWEI])
@pytest.mark.parametrize("data", ["0x", "0xdeadbeef"])
async def test_what_was_signed_is_read_back_from_the_bytes(tip_wei: int | None, data: str) -> None:
    web3 = open_web3("http://127.0.0.1:1")
    signer = Signer(web3, LocalKey(account_of(DEV_KEYS[0])), 137, 1, FREE)
    unsigned = UnsignedTransaction(
        to=signer.address, data=data, gas=21_000, max_fee_wei=40 * GWEI, tip_wei=tip_wei
    )
    assert unsigned_of((await signer.sign(unsigned, 7)).raw) == unsigned
    await web3.provider.disconnect()
