"""Reads a contract's events in bounded ranges of blocks, as public nodes demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from eth_typing import BlockNumber, ChecksumAddress, HexStr
from web3.exceptions import Web3RPCError
from web3.types import FilterParams, LogReceipt

from posthuman.errors import TransientError
from posthuman.ledger.rpc import Web3

BLOCKS_A_REQUEST = 10_000  # what public nodes commonly allow

Topics = Sequence[str | Sequence[str] | None]
Addresses = ChecksumAddress | list[ChecksumAddress]


async def logs_between(
    web3: Web3, address: Addresses, topics: Topics, first: int, last: int
) -> list[LogReceipt]:
    """Oldest first; both blocks included. A topic None matches anything, a list any of
    it; so does a list of addresses."""
    found: list[LogReceipt] = []
    size = BLOCKS_A_REQUEST
    while first <= last:
        end = min(first + size - 1, last)
        try:
            found += await _logs(web3, address, topics, first, end)
            first = end + 1
        except Web3RPCError:  # too large a range: each node says it in its own words
            if size == 1:
                raise
            size = max(1, size // 10)
    return found


def address_topic(address: str) -> str:
    """An address as it stands in an indexed event argument."""
    return "0x" + address[2:].lower().rjust(64, "0")


async def _logs(
    web3: Web3, address: Addresses, topics: Topics, first: int, last: int
) -> list[LogReceipt]:
    """Some nodes answer for blocks that they don't have yet as if nothing had happened there."""
    wanted: FilterParams = {
        "address": address,
        "fromBlock": BlockNumber(first),
        "toBlock": BlockNumber(last),
        "topics": cast("Sequence[HexStr]", topics),
    }
    latest, found = await asyncio.gather(web3.eth.block_number, web3.eth.get_logs(wanted))
    if latest < last:
        raise TransientError(
            f"the node is at block {latest}, and another answer told of block {last}: it lags",
            "NodeLags",
        )
    return found
