"""Ocean's contracts on public chains, by chain id alone, from the packaged address book."""

from __future__ import annotations

import json
from importlib import resources

import msgspec
import pytest
from web3 import AsyncWeb3

from posthuman.api.environment import ChainContracts, ChainSpec
from posthuman.api.meta import SecretKeyRef
from posthuman.errors import UserError
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.contracts import artifact, deployment_of
from posthuman.ledger.fees import GWEI
from posthuman.ledger.ocean import TEMPLATE_INDEX, fee_policy, open_ledger
from posthuman.ledger.reader import open_reader
from tests.services.chain import Chain

MAINNET, POLYGON, SEPOLIA = 1, 137, 11155111
FACTORIES = {  # as https://docs.oceanprotocol.com lists them too
    MAINNET: "0x1706DF1f2d93558D1d77bEd49ccdB8B88fAfC306",
    POLYGON: "0x6fd867E5AEE6D62a24f97939db90C4e67A73A651",
    SEPOLIA: "0xEF62FB495266C72a5212A11Dce8baa79Ec0ABeB1",
}


def spec(chain_id: int, contracts: ChainContracts | None = None) -> ChainSpec:
    secret = SecretKeyRef(name="chain", key="url")
    return ChainSpec(
        chain_id=chain_id, rpc_url_secret=secret, signer_secret=secret, contracts=contracts
    )


@pytest.mark.parametrize("chain_id", sorted(FACTORIES))
def test_a_public_chain_is_known_by_its_id(chain_id: int) -> None:
    found = deployment_of(spec(chain_id))
    assert found.contracts.erc721_factory == FACTORIES[chain_id]
    for address in msgspec.structs.astuple(found.contracts):
        assert AsyncWeb3.is_checksum_address(address)
    assert len(set(msgspec.structs.astuple(found.contracts))) == 4
    assert found.first_block > 1_000_000  # or every look would begin with the chain's first block


@pytest.mark.parametrize("chain_id", sorted(FACTORIES))
def test_the_templates_that_we_ask_for_are_there(chain_id: int) -> None:
    book = json.loads((resources.files("addresses") / "address.json").read_text())
    (entry,) = [found for found in book.values() if found.get("chainId") == chain_id]
    assert str(TEMPLATE_INDEX) in entry["ERC20Template"]
    assert str(TEMPLATE_INDEX) in entry["ERC721Template"]


def test_an_environments_own_contracts_come_first() -> None:
    own = ChainContracts(erc721_factory="0x" + "1" * 40)
    assert deployment_of(spec(POLYGON, own)).contracts == own


def test_a_chain_that_nobody_knows_is_refused_with_a_sentence() -> None:
    with pytest.raises(UserError, match=r"erc721Factory") as refused:
        deployment_of(spec(424242))
    assert refused.value.reason == "ContractsUnknown"


def test_polygons_validators_get_their_tip() -> None:
    assert fee_policy(spec(POLYGON)).smallest_tip_wei >= 25 * GWEI
    assert fee_policy(spec(SEPOLIA)).smallest_tip_wei == 0


@pytest.mark.chain
@pytest.mark.parametrize("chain_id", sorted(FACTORIES))
async def test_a_node_of_another_chain_is_refused_before_anything_is_signed(
    chain: Chain, chain_id: int
) -> None:
    ledger = open_ledger(chain.url, DEV_KEYS[3], spec(chain_id))
    for asked in (ledger.check, ledger.nonces):
        with pytest.raises(UserError, match=rf"8996.*{chain_id}|{chain_id}.*8996") as refused:
            await asked()
        assert refused.value.reason == "ChainIdMismatch"
    await ledger.close()
    reader = open_reader(chain.url, spec(chain_id))
    with pytest.raises(UserError) as refused:
        await reader.creation("did:op:" + "0" * 64)
    assert refused.value.reason == "ChainIdMismatch"
    await reader.close()


def test_what_is_called_is_in_the_packaged_contracts() -> None:
    names = {entry.get("name") for entry in artifact("ERC721Factory").abi}
    assert {"createNftWithErc20", "createNftWithErc20WithFixedRate"} <= names
