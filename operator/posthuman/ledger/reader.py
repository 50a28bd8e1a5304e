"""The ChainReader port on Ocean's contracts (chain_ports.py): what anyone can read, keyless."""

from __future__ import annotations

from eth_typing import ChecksumAddress
from web3 import AsyncWeb3
from web3.contract import AsyncContract

from posthuman.api.environment import ChainSpec
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Order, SetDDO
from posthuman.ledger.contracts import abi_of, deployment_of
from posthuman.ledger.creations import Creations
from posthuman.ledger.ddos import DDOs
from posthuman.ledger.orders import Orders
from posthuman.ledger.rpc import Web3, check_chain_id, open_web3, translated

TOKEN_ID = 1
_NFT_ABI = abi_of("ERC721Template", "ownerOf", "getTokensList")


def open_reader(rpc_url: str, chain: ChainSpec) -> OceanReader:
    """Connects to nothing yet. Raises UserError for a chain whose contracts aren't known."""
    web3 = open_web3(rpc_url)
    return OceanReader(web3, chain.chain_id, Creations(web3, deployment_of(chain)))


class OceanReader:
    """See chain_ports.ChainReader."""

    def __init__(self, web3: Web3, chain_id: int, creations: Creations) -> None:
        self._web3 = web3
        self._chain_id = chain_id
        self._creations = creations
        self._is_checked = False  # that the node serves this chain
        self._orders = Orders(web3)
        self._ddos = DDOs(web3)

    @property
    def chain_id(self) -> int:
        """As the environment says."""
        return self._chain_id

    async def close(self) -> None:
        """Close the connections."""
        await self._web3.provider.disconnect()

    async def creation(self, did: str) -> CreatedNFT | None:
        await self._check_chain_id()
        for creation in await self._creations.all():
            if did_of(creation.nft, self._chain_id) == did:
                return await self._creations.complete(creation)
        return None

    async def _check_chain_id(self) -> None:
        """Once; all else that is read begins with a creation."""
        if not self._is_checked:
            with translated("asking the node for its chain id"):
                check_chain_id(await self._web3.eth.chain_id, self._chain_id)
            self._is_checked = True

    async def first_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        return await self._ddos.first(creation)

    async def current_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        return await self._ddos.current(creation)

    async def order(self, tx_id: str, datatoken: str) -> Order | None:
        return await self._orders.find(tx_id, datatoken)

    async def nft_owner(self, nft: str) -> str:
        with translated(f"reading the owner of {nft}"):
            owner: ChecksumAddress = await self._nft(nft).functions.ownerOf(TOKEN_ID).call()
        return str(owner)

    async def datatokens(self, nft: str) -> tuple[str, ...]:
        """All that the NFT itself has made, checksummed. Raises TransientError."""
        with translated(f"reading the datatokens of {nft}"):
            return tuple(await self._nft(nft).functions.getTokensList().call())

    def _nft(self, address: str) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=_NFT_ABI)
