"""A stage step buys from a provider that keeps its rule for nonces, with its tokens and without."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from jobkit.errors import UserFault, WorldFault
from jobkit.plan import StageAlgorithm
from jobkit.provider_access import ACCESS_FILE, ProviderAccess
from jobkit.staged import read_staged
from posthuman.provider.signing import TICKETS_PER_ASSET
from tests.provider.server import ProviderServer, selling
from tests.provider.shop import (
    ALICE,
    CODE,
    TEXT,
    an_input,
    bought,
    plan_of,
    prove,
    provider_of,
    staged,
)

FILES = {"train.jsonl": b'{"text": "one"}\n' * 50_000, "test.jsonl": b'{"text": "two"}\n'}
PYTHON = b"print('hello')\n"
FOLDER = TEXT.removeprefix("did:op:")


@pytest.fixture(params=[True, False], ids=["tokens", "signatures"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ProviderServer]:
    async with selling(has_tokens=request.param) as server:
        server.sell(TEXT, FILES)
        server.sell(CODE, {"algorithm.py": PYTHON})
        yield server


@pytest.fixture
async def tokens() -> AsyncIterator[ProviderServer]:
    async with selling() as server:
        server.sell(TEXT, FILES)
        yield server


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def nonces(server: ProviderServer) -> list[int]:
    return [nonce for _, _, nonce in server.downloads]


async def test_every_file_of_a_service_lies_where_ocean_s_algorithms_look(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(server)]))
    folder = tmp_path / "inputs" / FOLDER
    assert [(folder / str(n)).read_bytes() for n in (0, 1)] == list(FILES.values())
    assert sorted(nonces(server)) == nonces(server)
    assert len(set(nonces(server))) == 2
    (record,) = read_staged(tmp_path / "staged.json").inputs
    together = "".join(digest(content) for content in FILES.values())
    assert (record.files, record.sha256) == (2, digest(together.encode()))


async def test_data_and_code_of_one_job(server: ProviderServer, tmp_path: Path) -> None:
    await prove(provider_of(server), tmp_path, [TEXT, CODE])
    algorithm = StageAlgorithm(did=CODE, bought=bought(server, CODE), files_checksum=digest(PYTHON))
    report = await staged(plan_of(tmp_path, [an_input(server)], algorithm))
    code = tmp_path / "transformations" / "algorithm"
    assert code.read_bytes() == PYTHON
    assert os.access(code, os.X_OK)
    assert report.details["algorithm"] == {"did": CODE, "digest": f"sha256:{digest(PYTHON)}"}
    assert server.refused == 0


async def test_code_that_was_changed_since_it_was_trusted_is_removed(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [CODE])
    algorithm = StageAlgorithm(did=CODE, bought=bought(server, CODE), files_checksum="0" * 64)
    with pytest.raises(UserFault, match="they were changed since") as refused:
        await staged(plan_of(tmp_path, [], algorithm))
    assert refused.value.reason == "AlgorithmNotTrusted"
    assert not (tmp_path / "transformations" / "algorithm").exists()


async def test_a_download_that_breaks_off_is_resumed_with_a_fresh_proof(
    server: ProviderServer, tmp_path: Path
) -> None:
    server.drop_after_bytes, server.drops = 200_000, 2
    await prove(provider_of(server), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(server)]))
    assert (tmp_path / "inputs" / FOLDER / "0").read_bytes() == FILES["train.jsonl"]
    big = [range_ for index, range_, _ in server.downloads if index == "0"]
    assert big[0] == ""
    assert len(big) == 3
    assert all(range_.startswith("bytes=") for range_ in big[1:])
    assert sorted(nonces(server)) == nonces(server)


async def test_where_the_file_s_server_has_no_ranges_it_starts_over(
    server: ProviderServer, tmp_path: Path
) -> None:
    server.drop_after_bytes, server.drops, server.ranges = 200_000, 1, False
    await prove(provider_of(server), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(server)]))
    assert (tmp_path / "inputs" / FOLDER / "0").read_bytes() == FILES["train.jsonl"]


async def test_a_file_whose_length_nobody_tells(server: ProviderServer, tmp_path: Path) -> None:
    server.tells_length = False
    server.drop_after_bytes, server.drops = 100_000, 1
    await prove(provider_of(server), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(server)]))
    assert (tmp_path / "inputs" / FOLDER / "0").read_bytes() == FILES["train.jsonl"]


async def test_a_built_in_finds_files_by_their_own_names(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(server, numbered=False, folder="")]))
    assert {path.name for path in (tmp_path / "inputs" / "text").iterdir()} == set(FILES)


async def test_ddos_lie_beside_the_inputs(server: ProviderServer, tmp_path: Path) -> None:
    await prove(provider_of(server), tmp_path, [TEXT])
    ddo = await provider_of(server).ddo(TEXT)
    plan = msgspec.structs.replace(plan_of(tmp_path, [an_input(server)]), ddos={TEXT: ddo})
    await staged(plan)
    assert json.loads((tmp_path / "ddos" / FOLDER).read_text()) == ddo


async def test_two_jobs_at_once_with_tokens(tokens: ProviderServer, tmp_path: Path) -> None:
    """Each takes nonces of its own, and one that the other overtook takes a higher one."""
    provider = provider_of(tokens)
    jobs = [tmp_path / name for name in ("one", "two", "three")]
    for job in jobs:
        await prove(provider, job, [TEXT])
    tokens.drop_after_bytes, tokens.drops = 200_000, 4
    await asyncio.gather(*(staged(plan_of(job, [an_input(tokens)])) for job in jobs))
    for job in jobs:
        assert (job / "inputs" / FOLDER / "0").read_bytes() == FILES["train.jsonl"]


async def test_a_step_that_somebody_overtakes_takes_a_higher_nonce(
    tokens: ProviderServer, tmp_path: Path
) -> None:
    """Somebody's clock is an hour ahead."""
    ahead = time.time_ns() + 3600 * 10**9
    tokens.overtaken_by = [ahead, ahead + 10]
    await prove(provider_of(tokens), tmp_path, [TEXT])
    await staged(plan_of(tmp_path, [an_input(tokens)]))
    assert tokens.refused >= 1
    assert min(nonces(tokens)) > ahead


async def test_signatures_made_before_somebody_else_came_are_made_anew(tmp_path: Path) -> None:
    """The step fails in a way that the operator tries again, and its new signatures do."""
    async with selling(has_tokens=False) as server:
        server.sell(TEXT, FILES)
        provider = provider_of(server)
        await prove(provider, tmp_path, [TEXT])
        server.overtaken_by = [time.time_ns() + 3600 * 10**9]
        with pytest.raises(WorldFault, match="another attempt brings new ones"):
            await staged(plan_of(tmp_path, [an_input(server)]))
        await prove(provider, tmp_path, [TEXT])
        await staged(plan_of(tmp_path, [an_input(server)]))
        assert (tmp_path / "inputs" / FOLDER / "1").read_bytes() == FILES["test.jsonl"]


async def test_the_key_stays_with_the_operator(server: ProviderServer, tmp_path: Path) -> None:
    await prove(provider_of(server), tmp_path, [TEXT])
    raw = (tmp_path / "private" / ACCESS_FILE).read_bytes()
    access = msgspec.json.decode(raw, type=ProviderAccess)
    assert access.consumer == ALICE.address
    assert ALICE.key.hex().removeprefix("0x") not in raw.decode()
    assert bool(access.token) == server.has_tokens
    if not server.has_tokens:
        assert [len(found) for found in access.tickets.values()] == [TICKETS_PER_ASSET]


async def test_a_wrong_order_is_the_buyer_s_mistake_and_tells_no_secret(
    tokens: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(tokens), tmp_path, [TEXT])
    (tmp_path / "private" / "data").write_text("for-your-eyes")
    paid = msgspec.structs.replace(bought(tokens, tx_id="0x" + "0e" * 32), user_data_file="data")
    with pytest.raises(UserFault) as refused:
        await staged(plan_of(tmp_path, [an_input(tokens, bought=paid)]))
    assert refused.value.reason == "InputForbidden"
    assert "could not be validated" in str(refused.value)
    token = msgspec.json.decode(
        (tmp_path / "private" / ACCESS_FILE).read_bytes(), type=ProviderAccess
    ).token
    assert "for-your-eyes" not in str(refused.value)
    assert token not in str(refused.value)


async def test_a_provider_s_own_fault_is_tried_again_and_its_answer_is_told_nobody(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [TEXT])
    (tmp_path / "private" / "data").write_text('{"for": "your eyes"}')
    paid = msgspec.structs.replace(bought(server), user_data_file="data")
    plan = plan_of(tmp_path, [an_input(server, bought=paid)])
    server.breaks = 2
    await staged(plan)
    assert (tmp_path / "inputs" / FOLDER / "1").read_bytes() == FILES["test.jsonl"]
    server.breaks = 99
    with pytest.raises(WorldFault) as fault:
        await staged(plan)
    assert "HTTP 503" in str(fault.value)
    assert not any(secret in str(fault.value) for secret in ("your eyes", "token-", "0x"))


async def test_what_is_wrong_with_the_code_is_told_apart_from_what_is_with_the_data(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [TEXT, CODE])
    unpaid = bought(server, CODE, tx_id="0x" + "0e" * 32)
    algorithm = StageAlgorithm(did=CODE, bought=unpaid)
    with pytest.raises(UserFault, match="algorithm: the provider refuses") as refused:
        await staged(plan_of(tmp_path, [an_input(server)], algorithm))
    assert refused.value.reason == "AlgorithmForbidden"


async def test_user_data_goes_to_the_provider_as_it_stands(
    tokens: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(tokens), tmp_path, [TEXT])
    (tmp_path / "private" / "data").write_text('{"age": 5}\n')
    paid = msgspec.structs.replace(bought(tokens), user_data_file="data")
    await staged(plan_of(tmp_path, [an_input(tokens, bought=paid)]))
    assert tokens.user_data == ['{"age": 5}'] * 2


async def test_a_sha256_holds_for_the_one_file_of_a_service(
    server: ProviderServer, tmp_path: Path
) -> None:
    await prove(provider_of(server), tmp_path, [TEXT, CODE])
    with pytest.raises(UserFault, match="has 2 files"):
        await staged(plan_of(tmp_path, [an_input(server, sha256="0" * 64)]))
    with pytest.raises(UserFault, match="expected 0000") as refused:
        await staged(plan_of(tmp_path, [an_input(server, CODE, sha256="0" * 64)]))
    assert refused.value.reason == "ChecksumMismatch"
