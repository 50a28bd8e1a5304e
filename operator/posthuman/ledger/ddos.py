"""The DDOs that were set on NFTs, from their events, kept as far as they are settled.

What is kept is a cache that can be lost: it only spares reading the same old blocks again. Flags
are Ocean's: 1 means lzma, 2 encrypted by a provider (compressed first, then encrypted).
"""

from __future__ import annotations

import lzma

import msgspec
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.contract import AsyncContract
from web3.types import LogReceipt

from posthuman.chain import METADATA_ENCRYPTED, METADATA_LZMA, CreatedNFT, SetDDO
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.creations import SETTLED_BLOCKS
from posthuman.ledger.logs import logs_between
from posthuman.ledger.rpc import Web3, translated

MOST_DDO_BYTES = 1_000_000  # what unpacks to more is no DDO
MOST_KEPT = 1000  # NFTs
REVOKED = 3  # of Ocean's states the one in which nothing may be done with an asset
_ABI = abi_of("ERC721Template", "MetadataCreated", "MetadataUpdated", "metaDataState")


class _Kept(msgspec.Struct):
    """What the settled blocks say of one NFT."""

    next_block: int
    first: SetDDO | None = None
    last: SetDDO | None = None


class DDOs:
    """The first and the current DDO of any NFT."""

    def __init__(self, web3: Web3) -> None:
        self._web3 = web3
        self._kept: dict[str, _Kept] = {}

    async def first(self, creation: CreatedNFT) -> SetDDO | None:
        """None if none was set."""
        kept = self._kept.get(creation.nft)
        return kept.first if kept and kept.first else (await self._read(creation))[0]

    async def current(self, creation: CreatedNFT) -> SetDDO | None:
        """None if none was set, or it was revoked."""
        with translated(f"reading the state of {creation.nft}"):
            state = await self._nft(creation.nft).functions.metaDataState().call()
        return None if state == REVOKED else (await self._read(creation))[1]

    async def _read(self, creation: CreatedNFT) -> tuple[SetDDO | None, SetDDO | None]:
        """The oldest and the newest, settled or not."""
        kept = self._kept.setdefault(creation.nft, _Kept(next_block=creation.block))
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        nft = self._nft(creation.nft)
        events = nft.events.MetadataCreated(), nft.events.MetadataUpdated()
        topics = [[AsyncWeb3.to_hex(HexBytes(event.topic)) for event in events]]
        with translated(f"reading the metadata of {creation.nft}"):
            latest = await self._web3.eth.block_number
            logs = await logs_between(self._web3, nft.address, topics, kept.next_block, latest)
            found = [(log["blockNumber"], _ddo(nft, log)) for log in logs]
        first, last = kept.first, kept.last
        for block, ddo in found:
            first, last = first or ddo, ddo
            if block <= latest - SETTLED_BLOCKS:
                kept.first, kept.last = first, last
        kept.next_block = max(kept.next_block, latest - SETTLED_BLOCKS + 1)
        return first, last

    def _nft(self, address: str) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=_ABI)


def _ddo(nft: AsyncContract, log: LogReceipt) -> SetDDO:
    created = nft.events.MetadataCreated()
    event = created if log["topics"][0] == HexBytes(created.topic) else nft.events.MetadataUpdated()
    said = event.process_log(log)["args"]
    flags = int.from_bytes(said["flags"])
    encrypted = bool(flags & METADATA_ENCRYPTED)
    data = bytes(said["data"])
    clear = _unpacked(data) if flags & METADATA_LZMA else data
    digest = bytes(said["metaDataHash"]).hex()
    return SetDDO(content=b"" if encrypted else clear, digest=digest, encrypted=encrypted)


def _unpacked(data: bytes) -> bytes:
    """Empty for what can't be unpacked: anybody may have written it."""
    try:
        return lzma.LZMADecompressor().decompress(data, MOST_DDO_BYTES)
    except (lzma.LZMAError, EOFError):
        return b""
