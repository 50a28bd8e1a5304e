"""Tokens that are no good any more, and providers that can't be reached."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jobkit.errors import WorldFault
from jobkit.provider_access import ACCESS_FILE, ProviderAccess
from posthuman.errors import TransientError
from tests.provider.server import selling
from tests.provider.shop import ALICE, TEXT, an_input, plan_of, prove, provider_of, staged


async def test_a_token_that_the_provider_does_not_know_is_renewed_by_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobkit.provider.STALE_PAUSE_SECONDS", 0.0)
    async with selling() as server:
        server.sell(TEXT, {"a": b"x"})
        provider = provider_of(server)
        await prove(provider, tmp_path, [TEXT])
        stale = ProviderAccess(consumer=ALICE.address, token="from-another-year")
        (tmp_path / "private" / ACCESS_FILE).write_bytes(msgspec.json.encode(stale))
        with pytest.raises(WorldFault, match="has its token expired") as refused:
            await staged(plan_of(tmp_path, [an_input(server)]))
        assert refused.value.reason == "NonceRefused"
        assert "from-another-year" not in str(refused.value)
        await prove(provider, tmp_path, [TEXT])
        await staged(plan_of(tmp_path, [an_input(server)]))


async def test_a_provider_without_tokens_says_so() -> None:
    async with selling(has_tokens=False) as server:
        assert await provider_of(server).token() is None


async def test_a_token_is_asked_for_above_the_last_nonce() -> None:
    async with selling() as server:
        server.nonces[ALICE.address] = 10**20
        access = await provider_of(server).token()
        assert access is not None
        assert access.token


async def test_a_provider_that_is_gone_is_a_fault_that_heals() -> None:
    async with selling() as server:
        provider = provider_of(server)
    with pytest.raises(TransientError) as fault:
        await provider.token()
    assert fault.value.reason == "ProviderUnreachable"
    assert "signature" not in str(fault.value)


async def test_what_a_provider_repeats_of_a_request_is_told_nobody() -> None:
    """A signature over address and nonce is as good as a token."""
    async with selling() as server:
        server.breaks = 1
        with pytest.raises(TransientError) as fault:
            await provider_of(server).token()
    assert fault.value.reason == "ProviderRefused"
    assert "0x" not in str(fault.value)
