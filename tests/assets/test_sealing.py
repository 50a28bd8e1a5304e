"""With a provider configured, the DDO and its files are encrypted by it, and read again by us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from web3 import AsyncWeb3

from posthuman.api.meta import Key
from posthuman.assets.ancestry import Ancestry
from posthuman.errors import TransientError, UserError
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ledger.reader import OceanReader, open_reader
from tests.assets.ocean_schema import violations
from tests.assets.provider_server import ProviderServer, provider_server
from tests.assets.real import RealWorld, check_real
from tests.assets.strangers import person
from tests.assets.world import DIGEST, Crash, Tripwire, World, always, at_rest, begun, model_asset
from tests.services.chain import Chain

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")


@pytest.fixture
async def provider() -> AsyncIterator[ProviderServer]:
    async with provider_server() as server:
        yield server


async def test_the_provider_is_asked_as_oceans_is(provider: ProviderServer) -> None:
    encryptor = ProviderEncryptor(provider.url + "/")
    first, second = [await encryptor.encrypt(8996, b"{}") for _ in range(2)]
    assert first != second
    for said in (first, second):
        assert provider.decrypt(bytes.fromhex(said.removeprefix("0x"))) == b"{}"
    assert provider.asked == [("8996", b"{}")] * 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ((503, "busy"), "ProviderUnavailable"),
        ((404, "no such route"), "ProviderUnavailable"),
        ((201, "<html>"), "ProviderUnavailable"),
        ((201, ""), "ProviderUnavailable"),
        ((201, "0x123"), "ProviderUnavailable"),
    ],
)
async def test_a_fault_of_the_provider_is_waited_for(
    provider: ProviderServer, fault: tuple[int, str], reason: str
) -> None:
    provider.faults.append(fault)
    with pytest.raises(TransientError, match=r"providerUrl") as refused:
        await ProviderEncryptor(provider.url).encrypt(8996, b"{}")
    assert refused.value.reason == reason


async def test_a_provider_that_isnt_there_is_waited_for() -> None:
    with pytest.raises(TransientError, match="can't be reached") as refused:
        await ProviderEncryptor("http://127.0.0.1:9").encrypt(8996, b"{}")
    assert refused.value.reason == "ProviderUnreachable"


async def test_a_provider_of_another_chain_refuses(provider: ProviderServer) -> None:
    with pytest.raises(UserError, match="Unsupported chain ID 1") as refused:
        await ProviderEncryptor(provider.url).encrypt(1, b"{}")
    assert refused.value.reason == "ProviderRefuses"


async def test_the_publication_waits_for_its_provider_and_holds_nobody_up(
    provider: ProviderServer,
) -> None:
    provider.faults += [(503, "busy")] * 3
    world = World(providerUrl=provider.url)
    key, operator = world.add(), world.operator()
    await world.run_until(lambda _: len(provider.faults) < 3, operator, key)
    assert world.condition(key).reason == "ProviderUnavailable"
    assert provider.url in world.condition(key).message
    assert not world.held()  # no nonce waits with it
    await world.publish(key)
    (nft,) = world.chain.nfts.values()
    assert [found.encrypted for found in nft.ddos] == [True]


async def test_a_nonce_that_a_crash_left_reserved_doesnt_wait_for_the_provider(
    provider: ProviderServer,
) -> None:
    """It would hold up every later publication of the signer's."""
    world = World(providerUrl=provider.url)
    key = world.add()
    while not any(holder.endswith("/metadata") for holder in world.held()):
        wire = Tripwire()
        wire.at_name = "save_nonce_book"
        with pytest.raises(Crash):
            await world.publish(key, wire)
    (reserved,) = world.held().values()
    provider.faults += [(503, "busy")] * 100
    await world.run_until(lambda _: bool(world.book().fillers), world.operator(), key)
    assert world.book().fillers.keys() == {reserved}
    provider.faults.clear()
    await world.publish(key)
    (nft,) = world.chain.nfts.values()
    assert len(nft.ddos) == 1


async def test_a_crash_after_signing_sends_what_was_signed(provider: ProviderServer) -> None:
    """Other bytes would be made a second time: the stored ones count."""
    world = World(providerUrl=provider.url)
    key = world.add()

    def metadata_stored(asset: Any) -> bool:
        return begun(asset) and asset.status.transactions[-1].step == "metadata"

    await world.run_until(metadata_stored, world.operator(), key)
    asked = len(provider.asked)
    stored = world.asset(key).status.transactions[-1]
    for at in range(1, 4):  # whatever the next process does first, it dies after it
        with pytest.raises(Crash):
            await world.publish(key, Tripwire(at))
    await world.run_until(at_rest, world.operator(), key)
    assert len(provider.asked) == asked
    assert world.asset(key).status.transactions[1].hash == stored.hash
    (nft,) = world.chain.nfts.values()
    assert len(nft.ddos) == 1


@pytest.mark.chain
async def test_the_provider_reads_on_chain_what_is_valid_and_we_read_its_services(
    chain: Chain, provider: ProviderServer
) -> None:
    world = RealWorld(chain, await chain.new_account(), providerUrl=provider.url)
    key = world.add(model_asset(parents=[]))
    await world.publish(key)
    await check_real(world, key)
    ddo = await as_the_provider_reads_it(chain, provider, world, key)
    assert violations(ddo) == ""
    assert ddo["id"] == world.asset(key).status.did
    for service in ddo["services"]:
        assert service["serviceEndpoint"] == provider.url
        files = json.loads(provider.decrypt(bytes.fromhex(service["files"][2:])))
        assert files["nftAddress"] == world.asset(key).status.nft
        assert files["datatokenAddress"] == service["datatokenAddress"]
        assert files["files"] == [{"type": "posthuman", "manifestDigest": DIGEST}]
    await its_line_is_known(chain, world, key)
    await world.close()


async def as_the_provider_reads_it(
    chain: Chain, provider: ProviderServer, world: RealWorld, key: Key
) -> dict[str, Any]:
    """From the event, as Aquarius asks it to."""
    nft = world.asset(key).status.nft
    async with person(chain) as anyone:
        contract = anyone.nft(nft)
        (log,) = await contract.events.MetadataCreated().get_logs(from_block=0)
        said = log["args"]
        url, _, state, has_metadata = await contract.functions.getMetaData().call()
    assert (url, state, has_metadata) == (provider.url, 0, True)
    assert said["decryptorUrl"] == provider.url
    flags, digest = said["flags"][0], AsyncWeb3.to_hex(said["metaDataHash"])[2:]
    assert flags == 3
    found: dict[str, Any] = json.loads(provider.document(said["data"], flags, digest))
    return found


async def its_line_is_known(chain: Chain, world: RealWorld, key: Key) -> None:
    """By the clear text in the store; without it nothing is trusted."""
    reader = open_reader(chain.url, chain.spec())
    environment = await world.cluster.environment("a100")
    assert environment
    dids = {"model": world.asset(key).status.did}
    (kept,) = [name for name in world.store.objects if name.startswith("ddos/")]
    (known,) = (await _ancestry(reader, world).look(environment, dids)).lines["model"].custodians
    assert [found.id for found in known.first or ()] == ["train", "infer", "evaluate"]
    assert known.current == known.first
    del world.store.objects[kept]
    (lost,) = (await _ancestry(reader, world).look(environment, dids)).lines["model"].custodians
    assert (lost.first, lost.current) == (None, None)
    await reader.close()


def _ancestry(reader: OceanReader, world: RealWorld) -> Ancestry:
    return Ancestry(always(reader), always(world.store))
