"""A stage step that buys: the operator's proof in its private folder, then `jobkit fetch`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from eth_account import Account

from jobkit.fetch import fetch
from jobkit.http_source import Retry
from jobkit.plan import Bought, StageAlgorithm, StageInput, StagePlan
from jobkit.provider_access import ACCESS_FILE
from jobkit.report import Report
from posthuman.api.environment import ChainSpec
from posthuman.api.meta import SecretKeyRef
from posthuman.ledger.account import DEV_KEYS
from posthuman.provider.ocean import OceanProvider
from tests.fakes.ledger import FakeChain, FakeReader
from tests.jobkit.plans import stage_plan
from tests.provider.server import ORDER, ProviderServer

QUICK = Retry(attempts=3, first_delay_seconds=0.01, max_delay_seconds=0.02)
ALICE = Account.from_key(DEV_KEYS[3])
TEXT = "did:op:" + "a1" * 32
CODE = "did:op:" + "b2" * 32


def chain_spec(server: ProviderServer, metadata_url: str | None = None) -> ChainSpec:
    return ChainSpec(
        chain_id=8996,
        rpc_url_secret=SecretKeyRef(name="chain"),
        consumer_key_secret=SecretKeyRef(name="consumer"),
        provider_url=f"{server.url}/",
        metadata_url=f"{server.url}/" if metadata_url is None else metadata_url,
    )


def provider_of(server: ProviderServer, chain: FakeChain | None = None) -> OceanProvider:
    """With the metadata cache, or with what stands on a chain."""
    spec = chain_spec(server, "" if chain else None)
    return OceanProvider(spec, ALICE, FakeReader(chain or FakeChain()))


def bought(server: ProviderServer, did: str = TEXT, tx_id: str = ORDER) -> Bought:
    return Bought(url=f"{server.url}/", did=did, service_id="s0", tx_id=tx_id)


def an_input(server: ProviderServer, did: str = TEXT, **fields: object) -> StageInput:
    folder = did.removeprefix("did:op:")
    plain = StageInput(name="text", kind="dataset", bought=bought(server, did), folder=folder)
    return msgspec.structs.replace(plain, **{"numbered": True, **fields})


async def prove(provider: OceanProvider, folder: Path, dids: Sequence[str]) -> None:
    """What jobs/private.py does: a token, else signatures."""
    access = await provider.token() or await provider.tickets(dids)
    private = folder / "private"
    private.mkdir(parents=True, exist_ok=True)
    (private / ACCESS_FILE).write_bytes(msgspec.json.encode(access))


def plan_of(
    folder: Path, inputs: Sequence[StageInput], algorithm: StageAlgorithm | None = None
) -> StagePlan:
    return msgspec.structs.replace(
        stage_plan(folder, inputs),
        algorithm=algorithm,
        private_dir=f"{folder}/private",
        ddos_dir=f"{folder}/ddos",
        transformations_dir=f"{folder}/transformations",
    )


async def staged(plan: StagePlan) -> Report:
    return await fetch(plan, QUICK)
