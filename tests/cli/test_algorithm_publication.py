"""The command's two transactions, broken off at every point and run again: one NFT, one DDO."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from posthuman.assets.algorithm_ddo import Algorithm, algorithm_ddo, parse_image
from posthuman.chain import CreatedNFT, MarketFee
from posthuman.chain_ports import Ledger
from posthuman.cli.algorithm.outbox import Outbox
from posthuman.cli.algorithm.publication import AlgorithmPublisher
from posthuman.errors import TransientError, UserError
from tests.fakes.crashing import Crash
from tests.fakes.ledger import FakeChain, FakeLedger

ALGORITHM = Algorithm(
    name="word-count",
    title="Word count",
    description="Counts the words of a text.",
    version="0.1.0",
    language="python",
    entrypoint=("python", "/app"),
    image=parse_image("ghcr.io/acme/x@sha256:" + 64 * "a", "0.1.0"),
    inputs={},
    schema={},
    code_digest="sha256:" + 64 * "b",
)
CALLS = 25  # more than a whole publication makes


class CrashingLedger:
    """Dies at its `at`-th call, before or after it took effect."""

    def __init__(self, ledger: Ledger, at: int, after: bool) -> None:
        self._ledger, self._left, self._after = ledger, at, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        return self._counted(method) if callable(method) and name != "sign" else method

    def _counted(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Crash
            answer = await method(*arguments)
            if self._left == 0:
                raise Crash
            return answer

        return call


class CrashingOutbox(Outbox):
    """Dies once, right after the first write."""

    crashed = False

    def keep(self, step: str, transaction: Any) -> None:
        super().keep(step, transaction)
        if not CrashingOutbox.crashed:
            CrashingOutbox.crashed = True
            raise Crash


@pytest.fixture(autouse=True)
def _fresh_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test's outbox dies once."""
    monkeypatch.setattr(CrashingOutbox, "crashed", False)


def described(created: CreatedNFT) -> dict[str, Any]:
    return algorithm_ddo(ALGORITHM, created, 8996, "urn:x:lab:here", "2026-01-01T00:00:00Z")


def a_ledger(chain: FakeChain) -> FakeLedger:
    return FakeLedger(chain, "publisher", 10**20, 8996, 1)


async def published(ledger: Ledger, folder: Path, outbox: type[Outbox] = Outbox) -> CreatedNFT:
    publisher = AlgorithmPublisher(ledger, partial(outbox, folder), confirmations=1)
    return await publisher.publish(ALGORITHM, MarketFee(), described)


def kept_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def all_of(chain: FakeChain) -> list[int]:
    """How many DDOs each NFT was given."""
    return [len(nft.ddos) for nft in chain.nfts.values()]


@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_call_it_goes_on(after: bool, tmp_path: Path) -> None:
    crashes = 0
    for at in range(1, CALLS):
        chain, folder = FakeChain(), tmp_path / f"{at}"
        try:
            await published(cast(Ledger, CrashingLedger(a_ledger(chain), at, after)), folder)
        except Crash:
            crashes += 1
            await published(a_ledger(chain), folder)
        assert all_of(chain) == [1], f"at call {at}"
    assert 8 < crashes < CALLS - 1  # every call was explored, and the last ones met no crash


async def test_killed_with_signed_bytes_kept_it_sends_them(tmp_path: Path) -> None:
    chain = FakeChain()
    with pytest.raises(Crash):
        await published(a_ledger(chain), tmp_path, CrashingOutbox)
    assert all_of(chain) == []
    created = await published(a_ledger(chain), tmp_path)
    assert all_of(chain) == [1]
    assert await published(a_ledger(chain), tmp_path) == created


async def test_a_nonce_that_another_took_is_signed_anew(tmp_path: Path) -> None:
    chain = FakeChain()
    with pytest.raises(Crash):
        await published(a_ledger(chain), tmp_path, CrashingOutbox)
    other = a_ledger(chain)
    filler = await other.sign(await other.prepare_filler(), 0)
    await other.send(filler.raw)
    await published(a_ledger(chain), tmp_path)
    assert all_of(chain) == [1]


async def test_nothing_is_signed_beside_a_transaction_on_its_way(tmp_path: Path) -> None:
    chain = FakeChain()
    chain.automine = False
    other = a_ledger(chain)
    await other.send((await other.sign(await other.prepare_filler(), 0)).raw)
    with pytest.raises(TransientError, match="is on its way"):
        await published(a_ledger(chain), tmp_path)
    assert kept_in(tmp_path) == []


async def test_a_damaged_outbox_is_named(tmp_path: Path) -> None:
    chain = FakeChain()
    with pytest.raises(Crash):
        await published(a_ledger(chain), tmp_path, CrashingOutbox)
    [file] = kept_in(tmp_path)
    file.write_text("{")
    with pytest.raises(UserError, match="is damaged; remove it"):
        await published(a_ledger(chain), tmp_path)
