"""The ChainReader port on Ocean's contracts (ports.py): what anyone can read, without a key."""

from __future__ import annotations

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.contract import AsyncContract

from posthuman.api.environment import ChainSpec
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT
from posthuman.ledger.contracts import abi_of, deployment_of
from posthuman.ledger.creations import Creations
from posthuman.ledger.logs import logs_between
from posthuman.ledger.rpc import Web3, open_web3, translated

TOKEN_ID = 1
_NFT_ABI = abi_of("ERC721Template", "ownerOf", "MetadataCreated")


def open_reader(rpc_url: str, chain: ChainSpec) -> OceanReader:
    """Connects to nothing yet. Raises UserError for a chain whose contracts aren't known."""
    web3 = open_web3(rpc_url)
    return OceanReader(web3, chain.chain_id, Creations(web3, deployment_of(chain)))


class OceanReader:
    """See ports.ChainReader."""

    def __init__(self, web3: Web3, chain_id: int, creations: Creations) -> None:
        self._web3 = web3
        self._chain_id = chain_id
        self._creations = creations

    @property
    def chain_id(self) -> int:
        """As the environment says."""
        return self._chain_id

    async def close(self) -> None:
        """Close the connections."""
        await self._web3.provider.disconnect()

    async def creation(self, did: str) -> CreatedNFT | None:
        for creation in await self._creations.all():
            if did_of(creation.nft, self._chain_id) == did:
                return await self._creations.complete(creation)
        return None

    async def first_ddo(self, creation: CreatedNFT) -> bytes:
        event = self._nft(creation.nft).events.MetadataCreated()
        topics = [AsyncWeb3.to_hex(HexBytes(event.topic))]
        address = AsyncWeb3.to_checksum_address(creation.nft)
        with translated(f"reading the metadata of {creation.nft}"):
            latest = await self._web3.eth.block_number
            logs = await logs_between(self._web3, address, topics, creation.block, latest)
            return bytes(event.process_log(logs[0])["args"]["data"]) if logs else b""

    async def nft_owner(self, nft: str) -> str:
        with translated(f"reading the owner of {nft}"):
            owner: ChecksumAddress = await self._nft(nft).functions.ownerOf(TOKEN_ID).call()
        return str(owner)

    def _nft(self, address: str) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=_NFT_ABI)
