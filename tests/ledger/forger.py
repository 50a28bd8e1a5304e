"""A contract that lies while it is made: it emits events of its own, then calls somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3.types import TxReceipt

from posthuman.ledger.rpc import Web3

GAS = 12_000_000
_PUSH1, _PUSH4, _PUSH20, _PUSH32 = 0x60, 0x63, 0x73, 0x7F
_CODECOPY, _GAS, _LOG0, _CALL, _STOP = 0x39, 0x5A, 0xA0, 0xF1, 0x00


def _pushed(opcode: int, value: int) -> bytes:
    return bytes([opcode]) + value.to_bytes(opcode - _PUSH1 + 1, "big")


def _to_memory(offset: int, size: int) -> bytes:
    """That part of the code, to memory's beginning."""
    return _pushed(_PUSH4, size) + _pushed(_PUSH4, offset) + _pushed(_PUSH1, 0) + bytes([_CODECOPY])


def _emit(topics: Sequence[bytes], offset: int, size: int) -> bytes:
    pushed = b"".join(_pushed(_PUSH32, int.from_bytes(topic)) for topic in reversed(topics))
    end = _pushed(_PUSH4, size) + _pushed(_PUSH1, 0) + bytes([_LOG0 + len(topics)])
    return _to_memory(offset, size) + pushed + end


def _call(to: str, offset: int, size: int) -> bytes:
    nothing = _pushed(_PUSH1, 0)
    told = nothing + nothing + _pushed(_PUSH4, size) + nothing + nothing
    return _to_memory(offset, size) + told + _pushed(_PUSH20, int(to, 16)) + bytes([_GAS, _CALL])


def lying_code(topics: Sequence[bytes], data: bytes, to: str, call: bytes) -> bytes:
    """What makes the contract."""
    length = len(_emit(topics, 0, 0)) + len(_call(to, 0, 0)) + 1
    program = _emit(topics, length, len(data)) + _call(to, length + len(data), len(call))
    return program + bytes([_STOP]) + data + call


async def tell(
    web3: Web3, liar: LocalAccount, topics: Sequence[bytes], data: bytes, to: str, call: bytes
) -> TxReceipt:
    """The transaction in which both happened."""
    sent = await web3.eth.send_raw_transaction(
        liar.sign_transaction(
            {
                "data": lying_code(topics, data, to, call),
                "gas": GAS,
                "gasPrice": await web3.eth.gas_price * 2,
                "nonce": await web3.eth.get_transaction_count(liar.address),
                "value": 0,
                "chainId": await web3.eth.chain_id,
            }
        ).raw_transaction
    )
    receipt = await web3.eth.wait_for_transaction_receipt(HexBytes(sent), poll_latency=0.01)
    assert receipt["status"] == 1
    return receipt
