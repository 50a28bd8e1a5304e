"""Ocean's NFTCreated events, read in bounded ranges of blocks and kept as far as they are settled.

What is kept is a cache that can be lost: it only spares reading the same old blocks again.
"""

from __future__ import annotations

import asyncio

import msgspec
from eth_typing import ChecksumAddress, HexStr
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.contract import AsyncContract
from web3.contract.async_contract import AsyncContractEvent
from web3.types import EventData, TxReceipt

from posthuman.chain import CreatedNFT
from posthuman.ledger.contracts import Deployment, abi_of
from posthuman.ledger.logs import address_topic, logs_between
from posthuman.ledger.rpc import Web3, translated
from posthuman.ledger.token_uri import decode_token_uri

FACTORY_ABI = abi_of(
    "ERC721Factory",
    "createNftWithErc20",
    "createNftWithErc20WithFixedRate",
    "createNftWithErc20WithDispenser",
    "NFTCreated",
    "TokenCreated",
)
SETTLED_BLOCKS = 64  # deeper blocks are not reorganised any more


class Creations:
    """The NFTs made by one creator, or by anyone, through Ocean's factory."""

    def __init__(self, web3: Web3, deployment: Deployment, creator: str | None = None) -> None:
        self._web3 = web3
        self._factory = factory_contract(web3, deployment)
        self._creator = creator
        self._next_block = deployment.first_block
        self._settled: list[CreatedNFT] = []
        self._reading = asyncio.Lock()

    async def all(self) -> list[CreatedNFT]:
        """Oldest first. Datatokens are left out: `complete` adds one."""
        async with self._reading:
            with translated("reading Ocean's NFTCreated events"):
                latest = await self._web3.eth.block_number
                fresh = await self._read(self._next_block, latest)
            return self._settle(fresh, latest - SETTLED_BLOCKS)

    async def complete(self, creation: CreatedNFT) -> CreatedNFT:
        """The same, with its transaction's nonce and the datatoken it made."""
        with translated(f"reading transaction {creation.hash}"):
            receipt = await self._web3.eth.get_transaction_receipt(HexStr(creation.hash))
            transaction = await self._web3.eth.get_transaction(HexStr(creation.hash))
        found = created_in(self._factory, receipt, creation.nft) or creation
        return msgspec.structs.replace(found, nonce=transaction["nonce"])

    def _settle(self, fresh: list[CreatedNFT], last_block: int) -> list[CreatedNFT]:
        found = [*self._settled, *fresh]
        self._settled += [creation for creation in fresh if creation.block <= last_block]
        self._next_block = max(self._next_block, last_block + 1)
        return found

    async def _read(self, first: int, last: int) -> list[CreatedNFT]:
        event = self._factory.events.NFTCreated()
        topics: list[str | None] = [AsyncWeb3.to_hex(HexBytes(event.topic))]
        if self._creator:
            topics += [None, None, address_topic(self._creator)]
        logs = await logs_between(self._web3, self._factory.address, topics, first, last)
        return [_creation(event.process_log(log)) for log in logs]


def factory_contract(web3: Web3, deployment: Deployment) -> AsyncContract:
    """Ocean's ERC721Factory."""
    address = AsyncWeb3.to_checksum_address(deployment.contracts.erc721_factory)
    return web3.eth.contract(address, abi=FACTORY_ABI)


def created_in(factory: AsyncContract, receipt: TxReceipt, nft: str = "") -> CreatedNFT | None:
    """The NFT and datatoken of a `createNftWith…` transaction; where a contract made several in
    one, those of `nft`."""
    made = events_of(factory.events.NFTCreated(), factory.address, receipt)
    tokens = events_of(factory.events.TokenCreated(), factory.address, receipt)
    for index, event in enumerate(made):
        if nft in ("", event["args"]["newTokenAddress"]):
            end = made[index + 1]["logIndex"] if index + 1 < len(made) else None
            own = [t for t in tokens if _is_between(t["logIndex"], event["logIndex"], end)]
            return _creation(event, own[0]["args"]["newTokenAddress"] if own else "")
    return None


def events_of(
    event: AsyncContractEvent, address: ChecksumAddress, receipt: TxReceipt
) -> list[EventData]:
    """Those of this kind that this contract emitted, in order: any other may emit the same."""
    topic = HexBytes(event.topic)
    return [
        event.process_log(log)
        for log in receipt["logs"]
        if log["address"] == address and log["topics"] and log["topics"][0] == topic
    ]


def _is_between(index: int, first: int, end: int | None) -> bool:
    return first < index and (end is None or index < end)


def _creation(event: EventData, datatoken: str = "") -> CreatedNFT:
    said = event["args"]
    nft: ChecksumAddress = said["newTokenAddress"]
    return CreatedNFT(
        publication=decode_token_uri(said["tokenURI"]),
        nft=nft,
        datatoken=datatoken,
        hash=AsyncWeb3.to_hex(event["transactionHash"]),
        block=event["blockNumber"],
        creator=said["creator"],
        name=said["tokenName"],
    )
