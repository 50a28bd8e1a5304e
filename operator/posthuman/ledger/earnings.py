"""Who earned what with which asset, read from Ocean's contracts by their events, without a key.

Any contract may emit events that look like a datatoken's. Only those count that Ocean's factory
made, and of an exchange or a dispenser only what the datatoken itself names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.contract import AsyncContract
from web3.types import LogReceipt

from posthuman.api.environment import ChainSpec
from posthuman.assets.did import did_of
from posthuman.assets.services import services_in
from posthuman.chain import CreatedNFT
from posthuman.errors import NotFound
from posthuman.ledger.contracts import Deployment, abi_of, deployment_of
from posthuman.ledger.creations import Creations
from posthuman.ledger.logs import address_topic, logs_between
from posthuman.ledger.quotes import EXCHANGE_ABI, TOKEN_ABI
from posthuman.ledger.reader import OceanReader
from posthuman.ledger.rpc import Web3, open_web3, translated
from posthuman.ledger.takings import (
    Event,
    Swap,
    Takings,
    fee_of,
    handed_out_in,
    minted_in,
    orders_in,
    swap_of,
)

_TOKEN_EVENTS = (
    "OrderStarted",
    "OrderReused",
    "ProviderFee",
    "PublishMarketFee",
    "ConsumeMarketFee",
    "Transfer",
)
_TOKEN_ABI = [*TOKEN_ABI, *abi_of("ERC20Template", *_TOKEN_EVENTS, "getERC721Address")]
_EXCHANGE_ABI = [*EXCHANGE_ABI, *abi_of("FixedRateExchange", "Swapped")]
_DISPENSER_ABI = abi_of("Dispenser", "TokensDispensed")
_FACTORY_ABI = abi_of("ERC721Factory", "TokenCreated")
TOKENS_A_REQUEST = 200
_BASE_TOKEN, _BASE_BALANCE = 3, 10  # of what getExchange returns


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What lies at an exchange until it is collected (`collectBT`), for the asset's owner."""

    exchange: str
    token: str
    wei: int


class AssetEarnings(msgspec.Struct, frozen=True, kw_only=True):
    """One asset. `services`: their ids in the DDO's order, none where it can't be read."""

    did: str
    name: str
    nft: str
    datatoken: str
    owner: str
    services: tuple[str, ...]
    takings: Takings
    waiting: tuple[Waiting, ...]


class MarketShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a market's owner got of one asset's orders."""

    did: str
    token: str
    wei: int
    orders: int


class OwnerEarnings(msgspec.Struct, frozen=True, kw_only=True):
    """What is an address's: the assets whose NFT it holds now, and its shares as a market."""

    address: str
    assets: tuple[AssetEarnings, ...]
    shares: tuple[MarketShare, ...]


class Offer(NamedTuple):
    """An exchange where the datatoken is sold."""

    contract: AsyncContract
    exchange_id: bytes


def open_earnings(rpc_url: str, chain: ChainSpec) -> EarningsReader:
    """Connects to nothing yet. Raises UserError for a chain whose contracts aren't known."""
    return EarningsReader(open_web3(rpc_url), chain.chain_id, deployment_of(chain))


class EarningsReader:
    """Asks a chain's node; each answer is of the latest block when it was asked."""

    def __init__(self, web3: Web3, chain_id: int, deployment: Deployment) -> None:
        self._web3 = web3
        self._chain_id = chain_id
        self._deployment = deployment
        self._creations = Creations(web3, deployment)
        self._reader = OceanReader(web3, chain_id, self._creations)

    async def close(self) -> None:
        """Close the connections."""
        await self._reader.close()

    async def of_asset(self, did: str) -> AssetEarnings:
        """Raises NotFound, TransientError."""
        creation = await self._reader.creation(did)
        if creation is None:
            raise NotFound(f"chain {self._chain_id} has no NFT with the DID {did}")
        return await self._asset(creation, await self._reader.nft_owner(creation.nft))

    async def of_owner(self, address: str) -> OwnerEarnings:
        """Raises TransientError."""
        creations = await self._creations.all()
        owners = await asyncio.gather(*(self._reader.nft_owner(c.nft) for c in creations))
        held = [c for c, owner in zip(creations, owners, strict=True) if owner == address]
        whole = [await self._creations.complete(creation) for creation in held]
        assets = [await self._asset(creation, address) for creation in whole]
        shares = await self._shares(address)
        return OwnerEarnings(address=address, assets=tuple(assets), shares=tuple(shares))

    async def _asset(self, creation: CreatedNFT, owner: str) -> AssetEarnings:
        """Of an NFT without a datatoken, which anybody may give to anybody: nothing."""
        offers = await self._offers(creation.datatoken) if creation.datatoken else []
        return AssetEarnings(
            did=did_of(creation.nft, self._chain_id),
            name=creation.name,
            nft=creation.nft,
            datatoken=creation.datatoken,
            owner=owner,
            services=await self._services(creation),
            takings=(
                await self._takings(creation, owner, offers) if creation.datatoken else Takings()
            ),
            waiting=tuple([await self._waiting(offer) for offer in offers]),
        )

    async def _services(self, creation: CreatedNFT) -> tuple[str, ...]:
        ddo = await self._reader.current_ddo(creation)
        return tuple(found.id for found in services_in(ddo.content)) if ddo else ()

    async def _takings(self, creation: CreatedNFT, owner: str, offers: Sequence[Offer]) -> Takings:
        token, first = self._token(creation.datatoken), creation.block
        events = await self._events(token, _TOKEN_EVENTS, (), first)
        swaps = [await self._swaps(offer, first) for offer in offers]
        return Takings(
            orders=orders_in(events),
            swaps=tuple(swap for some in swaps for swap in some),
            given_wei=await self._given(creation),
            minted_wei=minted_in(events),
            handed_out_wei=handed_out_in(events, owner),
        )

    async def _offers(self, datatoken: str) -> list[Offer]:
        with translated(f"reading where datatoken {datatoken} is sold"):
            listed = await self._token(datatoken).functions.getFixedRates().call()
        return [Offer(self._contract(at, _EXCHANGE_ABI), exchange_id) for at, exchange_id in listed]

    async def _swaps(self, offer: Offer, first_block: int) -> list[Swap]:
        token = (await self._exchange(offer))[_BASE_TOKEN]
        named = (AsyncWeb3.to_hex(offer.exchange_id),)
        events = await self._events(offer.contract, ("Swapped",), named, first_block)
        return [swap_of(event, token) for event in events]

    async def _waiting(self, offer: Offer) -> Waiting:
        said = await self._exchange(offer)
        return Waiting(
            exchange=offer.contract.address, token=said[_BASE_TOKEN], wei=said[_BASE_BALANCE]
        )

    async def _exchange(self, offer: Offer) -> Any:
        with translated(f"reading exchange {offer.contract.address}"):
            return await offer.contract.functions.getExchange(offer.exchange_id).call()

    async def _given(self, creation: CreatedNFT) -> int:
        with translated(f"reading where datatoken {creation.datatoken} is given away"):
            listed = await self._token(creation.datatoken).functions.getDispensers().call()
        named = (address_topic(creation.datatoken),)
        given = 0
        for address in listed:
            dispenser = self._contract(address, _DISPENSER_ABI)
            events = await self._events(dispenser, ("TokensDispensed",), named, creation.block)
            given += sum(event.said["amount"] for event in events)
        return given

    async def _shares(self, address: str) -> list[MarketShare]:
        """Of all datatokens that the factory made."""
        factory = self._contract(self._deployment.contracts.erc721_factory, _FACTORY_ABI)
        first = self._deployment.first_block
        made = await self._events(factory, ("TokenCreated",), (), first)
        tokens = [event.said["newTokenAddress"] for event in made]
        fees: list[Event] = []
        for start in range(0, len(tokens), TOKENS_A_REQUEST):
            some = tokens[start : start + TOKENS_A_REQUEST]
            kind, to = self._token(some[0]), (address_topic(address),)
            fees += await self._events(kind, ("PublishMarketFee",), to, first, some)
        paid = dict.fromkeys((fee.emitter, fee.said["PublishMarketFeeToken"]) for fee in fees)
        return [await self._share(datatoken, token, fees) for datatoken, token in paid]

    async def _share(self, datatoken: str, token: str, fees: Sequence[Event]) -> MarketShare:
        with translated(f"reading whose datatoken {datatoken} is"):
            nft = await self._token(datatoken).functions.getERC721Address().call()
        paid = [fee_of(event) for event in fees if event.emitter == datatoken]
        amounts = [fee.wei for fee in paid if fee.token == token]
        did = did_of(nft, self._chain_id)
        return MarketShare(did=did, token=token, wei=sum(amounts), orders=len(amounts))

    async def _events(
        self,
        contract: AsyncContract,
        names: Sequence[str],
        indexed: Sequence[str],
        first_block: int,
        emitters: Sequence[ChecksumAddress] = (),
    ) -> list[Event]:
        """Oldest first; `indexed`: what must stand in the first indexed arguments; `emitters`: of
        these contracts of the same kind, instead of this one."""
        with translated(f"reading the events of {contract.address}"):
            latest = await self._web3.eth.block_number
            known = {HexBytes(contract.events[name]().topic): name for name in names}
            topics: list[str | list[str] | None] = [
                [AsyncWeb3.to_hex(topic) for topic in known],
                *indexed,
            ]
            whose = list(emitters) or contract.address
            logs = await logs_between(self._web3, whose, topics, first_block, latest)
            return [_decoded(contract, known[HexBytes(log["topics"][0])], log) for log in logs]

    def _token(self, address: str) -> AsyncContract:
        return self._contract(address, _TOKEN_ABI)

    def _contract(self, address: str, abi: Sequence[Any]) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=abi)


def _decoded(contract: AsyncContract, name: str, log: LogReceipt) -> Event:
    said = contract.events[name]().process_log(log)
    tx_id = AsyncWeb3.to_hex(said["transactionHash"])
    return Event(name, said["address"], tx_id, said["blockNumber"], said["args"])
